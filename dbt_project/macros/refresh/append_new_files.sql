{# SQL that adds the rows of new raw files. The preflight shows them in a schema of their own. #}
{% macro append_new_files(target, plan) -%}
    {%- set source_name, table_name = plan.stated.raw_table.split('.') -%}
    {%- set all_files = source(source_name, table_name) -%}
    {%- set new_files = all_files.incorporate(path={'schema': source_name ~ '_new'}) -%}
    create or replace table {{ changes_of(model.alias) }} as
    {{ contracted(compiled_code.replace(all_files | string, new_files | string)) }};
    insert into {{ target }} by name from {{ changes_of(model.alias) }};
    create or replace table {{ files_read_of(plan.stated.raw_table) }} as
    {{ files_listed_of(plan.stated.raw_table) }}
{%- endmacro %}
