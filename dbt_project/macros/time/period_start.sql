{# First day of the period of a grain (day, week from Monday, month, quarter, year) around a date. #}
{% macro period_start(grain, day) -%}
    cast(date_trunc({{ grain }}, {{ day }}) as date)
{%- endmacro %}
