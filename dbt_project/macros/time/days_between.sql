{# Days from one date to another. #}
{% macro days_between(since, until) -%}
    {{ return(adapter.dispatch('days_between', 'voronka')(since, until)) }}
{%- endmacro %}

{% macro duckdb__days_between(since, until) -%}
    cast({{ until }} - {{ since }} as integer)
{%- endmacro %}

{% macro spark__days_between(since, until) -%}
    date_diff({{ until }}, {{ since }})
{%- endmacro %}
