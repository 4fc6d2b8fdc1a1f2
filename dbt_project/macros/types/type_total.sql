{# Sums of whole numbers that nothing bounds: two of the greatest are more than 64 bits. #}
{% macro type_total() -%}
    decimal(38, 0)
{%- endmacro %}
