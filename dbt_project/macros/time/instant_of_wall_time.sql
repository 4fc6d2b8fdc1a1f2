{#
  The instant of a time without offset in `source_timezone`. A repeated hour is
  the later instant, a skipped time moves forward by the gap.
#}
{% macro instant_of_wall_time(value) -%}
    {{ return(adapter.dispatch('instant_of_wall_time', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__instant_of_wall_time(value) -%}
    ({{ value }} at time zone '{{ var("source_timezone") }}')
{%- endmacro %}

{% macro spark__instant_of_wall_time(value) -%}
    {{ spark_instant_in_zone(value, var('source_timezone')) }}
{%- endmacro %}

{#
  The engine moves a skipped time as the contract wants, but takes the earlier instant of a repeated
  hour. The later one is where the next day's offset leads, if it shows the same time on the clock.
#}
{% macro spark_instant_in_zone(value, zone) -%}
    {%- set wall_time = 'cast(' ~ value ~ ' as timestamp)' -%}
    {%- set later -%}
        (to_utc_timestamp({{ wall_time }} + interval '1' day, '{{ zone }}') - interval '1' day)
    {%- endset -%}
    {%- if zone == 'UTC' -%}
        {{ wall_time }}
    {%- else -%}
        case
            when from_utc_timestamp({{ later }}, '{{ zone }}') = {{ wall_time }} then {{ later }}
            else to_utc_timestamp({{ wall_time }}, '{{ zone }}')
        end
    {%- endif -%}
{%- endmacro %}
