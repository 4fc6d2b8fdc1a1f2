{#
  The median of DOUBLEs: of two in the middle, half their sum. NULLs do not count; NULL of none.
  Spark's own adds half their difference to the lower one, and differs in the last bit.
#}
{% macro median_of(value) -%}
    {{ return(adapter.dispatch('median_of', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__median_of(value) -%}
    median({{ value }})
{%- endmacro %}

{% macro spark__median_of(value) -%}
    (
        (
            percentile_disc(0.5) within group (order by {{ value }})
            + percentile_disc(0.5) within group (order by {{ value }} desc)
        ) / 2
    )
{%- endmacro %}
