{#
  One value that holds a row's columns as text, in the contract's order, as the exporter
  gave them. A list: a structure is written column by column even where it is NULL.
  `given_types` are the engine's names of their types.
#}
{% macro given_values(columns, given_types) -%}
    {{ return(adapter.dispatch('given_values', 'voronka')(columns, given_types)) }}
{%- endmacro %}

{% macro duckdb__given_values(columns, given_types) -%}
    [
    {%- for column in columns -%}
        cast({{ column.name }}__raw as varchar)
        {{- ', ' if not loop.last }}
    {%- endfor -%}
    ]
{%- endmacro %}

{% macro spark__given_values(columns, given_types) -%}
    array(
    {%- for column in columns -%}
        {{ spark_given_text(column.name ~ '__raw', given_types[column.name]) }}
        {{- ', ' if not loop.last }}
    {%- endfor -%}
    )
{%- endmacro %}

{# The text that DuckDB writes: an instant with its offset, a fraction without a 0 before the point. #}
{% macro spark_given_text(value, given_type) -%}
    {%- set text = 'cast(' ~ value ~ ' as string)' -%}
    {%- set digits = modules.re.match('DECIMAL[(]([0-9]+), *([0-9]+)[)]', given_type) -%}
    {%- if kind_of_type(given_type) == 'instant' -%}
        {{ text }} || '+00'
    {%- elif digits and digits.group(1) == digits.group(2) -%}
        regexp_replace({{ text }}, r'^(-?)0[.]', r'$1.')
    {%- else -%}
        {{ text }}
    {%- endif -%}
{%- endmacro %}

{# The value of the n-th column, from 1. #}
{% macro given_value_of(position) -%}
    {{ return(adapter.dispatch('given_value_of', 'voronka')(position)) }}
{%- endmacro %}

{% macro duckdb__given_value_of(position) -%}
    given[{{ position }}]
{%- endmacro %}

{% macro spark__given_value_of(position) -%}
    element_at(given, {{ position }})
{%- endmacro %}
