{# A whole number as text, in groups of three digits: `1,234`. #}
{% macro thousands(number) -%}
    {{ return(adapter.dispatch('thousands', 'voronka')(number)) }}
{%- endmacro %}

{% macro duckdb__thousands(number) -%}
    format('{:,}', {{ number }})
{%- endmacro %}

{% macro spark__thousands(number) -%}
    format_number({{ number }}, 0)
{%- endmacro %}
