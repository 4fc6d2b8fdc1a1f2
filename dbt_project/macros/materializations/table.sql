{#
  A table, made in place by one statement. dbt's own way builds beside the old
  table and renames, so that readers never see a gap; nobody reads our build file,
  and the renames are a third of a refresh's time. Where a contract is enforced, the
  columns stand in its order; their constraints would need an empty table first, and
  no model states any.
#}
{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and existing.type != 'table' -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- set is_contracted = config.get('contract').enforced -%}
    {%- if model.constraints or model.columns.values() | selectattr('constraints') | list -%}
        {%- do exceptions.raise_compiler_error('Tables enforce no constraints: test them.') -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        {{ config.get('sql_header') or '' }}
        {{ get_assert_columns_equivalent(compiled_code) if is_contracted }}
        create or replace table {{ target }} as
        {% if is_contracted -%}
            select {{ model.columns.values() | map(attribute='name') | join(', ') }} from
        {%- endif %} (
            {{ compiled_code }}
        )
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
