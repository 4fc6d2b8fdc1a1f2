{#
  A table, made in place. dbt's own way builds beside the old table and renames, so that readers
  never see a gap; nobody reads our build file.
#}
{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do check_contract(compiled_code) -%}
    {{ run_hooks(pre_hooks) }}
    {%- do drop_other_kind(target) -%}
    {%- call statement('main') -%}
        create or replace table {{ target }} as
        {{ contracted(compiled_code) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# Removes a view that lies where a table is to be. #}
{% macro drop_other_kind(target) -%}
    {%- set existing = load_cached_relation(target) -%}
    {%- if existing is not none and existing.type != target.type -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
{%- endmacro %}
