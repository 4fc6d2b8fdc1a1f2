{#
  A table on Spark, rebuilt as a whole: nobody reads the build's schemas, so it is dropped first. Its
  columns have the order and the types of the contract.
#}
{% macro build_whole_table(target, plan) -%}
    {#- First of all: a table that is there is never of another list of files than it says. -#}
    {%- do drop_relation_of_any_kind(target) -%}
    {%- if config.get('materialized') == 'new_files' -%}
        {%- do write_files_read() -%}
    {%- endif -%}
    {%- call statement('main') -%}
        create table {{ target }}
        {{ file_format_clause() }}
        {{ partition_clause() }}
        as
        {{ with_partition_month(in_stated_types(compiled_code)) }}
    {%- endcall -%}
    {%- do record_state(plan, version_from(plan), has_changes=false) -%}
{%- endmacro %}

{% macro drop_relation_of_any_kind(target) -%}
    {%- set existing = load_cached_relation(target) -%}
    {%- call statement() -%}
        drop {{ existing.type if existing is not none else 'table' }} if exists {{ target }}
    {%- endcall -%}
{%- endmacro %}
