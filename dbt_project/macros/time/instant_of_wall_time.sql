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
