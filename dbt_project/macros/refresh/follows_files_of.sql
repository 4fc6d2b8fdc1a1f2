{# States that a model reads a raw table row by row, so that new files only add to it. #}
{% macro follows_files_of(source_name, table_name) -%}
    /*refresh {{ tojson({'raw_table': source_name ~ '.' ~ table_name}) }} refresh*/
{%- endmacro %}
