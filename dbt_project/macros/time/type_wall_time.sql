{#
  The engine's name for a time on a clock, without a zone.
#}
{% macro type_wall_time() -%}
    {{ return(adapter.dispatch('type_wall_time', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__type_wall_time() -%}
    timestamp
{%- endmacro %}

{% macro spark__type_wall_time() -%}
    timestamp_ntz
{%- endmacro %}
