{#
  A DOUBLE rounded half away from zero to so many digits, 0 or more: by moving the point, as DuckDB
  does. Spark rounds the shortest text of the number: 1.005 is 1.01 to it, though it lies below.
#}
{% macro rounded(value, digits) -%}
    {{ return(adapter.dispatch('rounded', 'voronka')(value, digits)) }}
{%- endmacro %}

{% macro duckdb__rounded(value, digits) -%}
    round({{ value }}, {{ digits }})
{%- endmacro %}

{% macro spark__rounded(value, digits) -%}
    (round(({{ value }}) * {{ 10 ** digits }}.0D) / {{ 10 ** digits }}.0D)
{%- endmacro %}
