{# The engine's name for an instant. #}
{% macro type_instant() -%}
    {{ return(adapter.dispatch('type_instant', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__type_instant() -%}
    timestamp with time zone
{%- endmacro %}

{% macro spark__type_instant() -%}
    timestamp
{%- endmacro %}
