{# The rows of a query, inside the node's transaction. #}
{% macro rows_of(sql) -%}
    {%- call statement('rows_of', fetch_result=true) -%}{{ sql }}{%- endcall -%}
    {%- do return(load_result('rows_of').table.rows) -%}
{%- endmacro %}
