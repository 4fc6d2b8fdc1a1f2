{# First day of the period before the one that begins on `start`. #}
{% macro previous_period_start(grain, start) -%}
    {{ period_start(grain, add_days(start, -1)) }}
{%- endmacro %}
