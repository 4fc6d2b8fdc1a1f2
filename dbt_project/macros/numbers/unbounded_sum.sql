{#
  The sum of whole numbers that nothing bounds: two of the greatest are more than 64 bits. As wide as
  it comes (DuckDB: HUGEINT), so cast it: to `type_total`, or after a bound.
#}
{% macro unbounded_sum(value) -%}
    {{ return(adapter.dispatch('unbounded_sum', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__unbounded_sum(value) -%}
    sum({{ value }})
{%- endmacro %}

{% macro spark__unbounded_sum(value) -%}
    sum(cast({{ value }} as {{ type_total() }}))
{%- endmacro %}
