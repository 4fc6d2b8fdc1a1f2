{# Of a clock hour. #}
{% macro seconds_per_hour() -%}
    3600
{%- endmacro %}
