{#
  Limits an input of a model to the keys that are rebuilt, where only these are (`touched_keys`); nothing
  where the whole table is built.
#}
{% macro where_touched(columns) -%}
    {%- if is_touched_build() -%}
    where ({{ columns }}) in (select * from {{ touched_keys_of_build() }})
    {%- endif -%}
{%- endmacro %}

{# The table of the keys that this build rebuilds. #}
{% macro touched_keys_of_build() -%}
    {{ return(adapter.dispatch('touched_keys_of_build', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__touched_keys_of_build() -%}
    {%- do return('touched_keys') -%}
{%- endmacro %}

{% macro spark__touched_keys_of_build() -%}
    {%- do return(state_schema(model.name) ~ '.touched_keys_of__' ~ model.name) -%}
{%- endmacro %}

{# Before a CTE that is read twice: of all rows a copy costs more than reading again, of a few it pays. #}
{% macro not_materialized_if_whole() -%}
    {{ not_materialized() if not is_touched_build() }}
{%- endmacro %}

{# Whether this build of the model rebuilds touched keys alone. Unit tests give all rows. #}
{% macro is_touched_build() -%}
    {%- if not execute or model.resource_type != 'model' or config.get('materialized') != 'touched_keys' -%}
        {%- do return(false) -%}
    {%- endif -%}
    {%- do return(refresh_plan(only_how=true).how == 'keys') -%}
{%- endmacro %}

{# The relation to read a raw table's rows from: those of new files alone where only these are added. #}
{% macro raw_rows(source_name, table_name) -%}
    {%- set all_files = source(source_name, table_name) -%}
    {%- if execute and model.resource_type == 'model' and config.get('materialized') == 'new_files'
        and refresh_plan(only_how=true).how == 'new_files' -%}
        {%- do return(all_files.incorporate(path={'schema': all_files.schema ~ '_new'})) -%}
    {%- endif -%}
    {%- do return(all_files) -%}
{%- endmacro %}
