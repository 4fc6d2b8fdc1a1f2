{# An instant moved by a number of seconds. #}
{% macro add_seconds(instant, seconds) -%}
    {{ return(adapter.dispatch('add_seconds', 'voronka')(instant, seconds)) }}
{%- endmacro %}

{% macro duckdb__add_seconds(instant, seconds) -%}
    ({{ instant }} + to_seconds({{ seconds }}))
{%- endmacro %}
