{# The calendar date of an instant in `reporting_timezone`. #}
{% macro local_date(instant) -%}
    {{ return(adapter.dispatch('local_date', 'voronka')(instant)) }}
{%- endmacro %}

{% macro duckdb__local_date(instant) -%}
    cast(({{ instant }} at time zone '{{ var("reporting_timezone") }}') as date)
{%- endmacro %}

{% macro spark__local_date(instant) -%}
    cast(from_utc_timestamp({{ instant }}, '{{ var("reporting_timezone") }}') as date)
{%- endmacro %}
