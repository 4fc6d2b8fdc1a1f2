{# Of a day of 24 hours. #}
{% macro microseconds_per_day() -%}
    86400000000
{%- endmacro %}
