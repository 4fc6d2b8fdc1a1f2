{# The table with one row that says which inputs an incremental model was built from. #}
{% macro state_of(name) -%}
    {%- do return('state.of__' ~ name) -%}
{%- endmacro %}
