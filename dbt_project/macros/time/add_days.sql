{# A date moved by a number of days. #}
{% macro add_days(day, days) -%}
    {{ return(adapter.dispatch('add_days', 'voronka')(day, days)) }}
{%- endmacro %}

{% macro duckdb__add_days(day, days) -%}
    cast({{ day }} + cast({{ days }} as integer) as date)
{%- endmacro %}

{% macro spark__add_days(day, days) -%}
    date_add({{ day }}, cast({{ days }} as integer))
{%- endmacro %}
