{# The digest of a model's SQL and columns; orchestration/lib/dbt_keep.py makes the same. #}
{% macro code_of(sql) -%}
    {%- set columns = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do columns.append(column.name ~ ' ' ~ column.data_type) -%}
    {%- endfor -%}
    {%- do return(local_md5(sql ~ '|' ~ columns | join(','))) -%}
{%- endmacro %}
