{# Of a clock second. #}
{% macro microseconds_per_second() -%}
    1000000
{%- endmacro %}
