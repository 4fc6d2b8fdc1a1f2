{#
  One value that holds a row's columns as text, in the contract's order, as the exporter
  gave them. A list: a structure is written column by column even where it is NULL.
#}
{% macro given_values(columns) -%}
    {{ return(adapter.dispatch('given_values', 'voronka')(columns)) }}
{%- endmacro %}

{% macro duckdb__given_values(columns) -%}
    [
    {%- for column in columns -%}
        cast({{ column.name }}__raw as varchar)
        {{- ', ' if not loop.last }}
    {%- endfor -%}
    ]
{%- endmacro %}

{# The value of the n-th column, from 1. #}
{% macro given_value_of(position) -%}
    {{ return(adapter.dispatch('given_value_of', 'voronka')(position)) }}
{%- endmacro %}

{% macro duckdb__given_value_of(position) -%}
    given[{{ position }}]
{%- endmacro %}
