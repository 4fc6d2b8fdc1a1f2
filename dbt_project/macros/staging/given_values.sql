{# One value that holds a row's columns as text, as the exporter gave them. #}
{% macro given_values(columns) -%}
    {{ return(adapter.dispatch('given_values', 'voronka')(columns)) }}
{%- endmacro %}

{% macro duckdb__given_values(columns) -%}
    {
    {%- for column in columns %}
            '{{ column.name }}': cast({{ column.name }}__raw as varchar)
            {{- ',' if not loop.last }}
    {%- endfor %}
        }
{%- endmacro %}
