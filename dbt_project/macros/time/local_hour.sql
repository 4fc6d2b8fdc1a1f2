{# The hour of the day, 0 to 23, of an instant in `reporting_timezone`. #}
{% macro local_hour(instant) -%}
    {{ return(adapter.dispatch('local_hour', 'voronka')(instant)) }}
{%- endmacro %}

{% macro duckdb__local_hour(instant) -%}
    hour({{ instant }} at time zone '{{ var("reporting_timezone") }}')
{%- endmacro %}

{% macro spark__local_hour(instant) -%}
    cast(hour(from_utc_timestamp({{ instant }}, '{{ var("reporting_timezone") }}')) as bigint)
{%- endmacro %}
