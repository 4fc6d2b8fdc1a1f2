{# Signed microseconds from one instant to another: exact, so that sums never depend on order. #}
{% macro microseconds_between(since, until) -%}
    {{ return(adapter.dispatch('microseconds_between', 'voronka')(since, until)) }}
{%- endmacro %}

{% macro duckdb__microseconds_between(since, until) -%}
    (epoch_us({{ until }}) - epoch_us({{ since }}))
{%- endmacro %}

{% macro spark__microseconds_between(since, until) -%}
    (unix_micros({{ until }}) - unix_micros({{ since }}))
{%- endmacro %}
