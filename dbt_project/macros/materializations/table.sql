{#
  A table, made in place. dbt's own way builds beside the old table and renames,
  so that readers never see a gap; nobody reads our build file, and the renames
  are a third of a refresh's time.
#}
{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and existing.type != 'table' -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        drop table if exists {{ target }};
        {{ create_table_as(False, target, compiled_code) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
