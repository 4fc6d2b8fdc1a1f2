{# The hour that an instant falls in, on the clocks of `reporting_timezone`: no zone. #}
{% macro local_hour_start(instant) -%}
    {{ return(adapter.dispatch('local_hour_start', 'voronka')(instant)) }}
{%- endmacro %}

{% macro duckdb__local_hour_start(instant) -%}
    date_trunc('hour', {{ instant }} at time zone '{{ var("reporting_timezone") }}')
{%- endmacro %}

{% macro spark__local_hour_start(instant) -%}
    cast(
        date_trunc('hour', from_utc_timestamp({{ instant }}, '{{ var("reporting_timezone") }}'))
        as timestamp_ntz
    )
{%- endmacro %}
