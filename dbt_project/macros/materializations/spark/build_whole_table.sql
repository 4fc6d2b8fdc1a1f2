{#
  A table on Spark, rebuilt as a whole with the state that it carries: nobody reads the build's
  schemas, so it is dropped first. Its columns have the order and the types of the contract.
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
        {{ state_properties(version_from(plan), plan) }}
        as
        {{ with_partition_month(in_stated_types(compiled_code)) }}
    {%- endcall -%}
{%- endmacro %}

{% macro drop_relation_of_any_kind(target) -%}
    {%- set existing = load_cached_relation(target) -%}
    {%- if existing is not none -%}
        {%- call statement() -%} drop {{ existing.type }} if exists {{ target }} {%- endcall -%}
    {%- endif -%}
{%- endmacro %}
