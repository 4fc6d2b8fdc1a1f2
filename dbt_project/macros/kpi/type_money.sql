{# Sums of money in base currency. #}
{% macro type_money() -%}
    decimal(38, 2)
{%- endmacro %}
