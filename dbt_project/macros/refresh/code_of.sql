{# The digest of a model's SQL, and of its columns' order and types where they are a contract. #}
{% macro code_of(sql) -%}
    {%- set columns = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do columns.append(column.name ~ ' ' ~ (column.data_type or '')) -%}
    {%- endfor -%}
    {%- do return(local_md5(sql ~ '|' ~ columns | join(','))) -%}
{%- endmacro %}
