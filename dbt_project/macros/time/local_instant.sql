{# The instant at which a local calendar day begins, or a local wall time falls. #}
{% macro local_instant(day, wall_time="'00:00'") -%}
    {{ return(adapter.dispatch('local_instant', 'voronka')(day, wall_time)) }}
{%- endmacro %}

{% macro duckdb__local_instant(day, wall_time) -%}
    (({{ day }} + cast({{ wall_time }} as time)) at time zone '{{ var("reporting_timezone") }}')
{%- endmacro %}

{% macro spark__local_instant(day, wall_time) -%}
    {%- set hours = 'cast(split_part(' ~ wall_time ~ ", ':', 1) as integer)" -%}
    {%- set minutes = 'cast(split_part(' ~ wall_time ~ ", ':', 2) as integer)" -%}
    {{ spark_instant_in_zone(
        '(cast(' ~ day ~ ' as timestamp) + make_dt_interval(0, ' ~ hours ~ ', ' ~ minutes ~ '))',
        var('reporting_timezone')
    ) }}
{%- endmacro %}
