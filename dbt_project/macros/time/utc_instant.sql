{# A literal instant given in UTC, as `YYYY-MM-DD HH:MM:SS`. #}
{% macro utc_instant(text) -%}
    {{ return(adapter.dispatch('utc_instant', 'voronka')(text)) }}
{%- endmacro %}

{% macro duckdb__utc_instant(text) -%}
    timestamptz '{{ text }}+00'
{%- endmacro %}

{% macro spark__utc_instant(text) -%}
    timestamp '{{ text }}+00:00'
{%- endmacro %}
