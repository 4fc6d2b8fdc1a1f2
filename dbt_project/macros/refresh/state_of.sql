{# The table with one row that says which inputs this model, or an input, was built from. #}
{% macro state_of(name) -%}
    {%- do return(database_of(name) ~ '.state.of__' ~ name) -%}
{%- endmacro %}
