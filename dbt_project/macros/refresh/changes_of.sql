{# The table that keeps which rows of a table went and came when it was last changed. #}
{% macro changes_of(name) -%}
    {%- do return('state.changes_of__' ~ name) -%}
{%- endmacro %}
