{# Text without blanks, tabs and line ends around it; NULL when nothing is left. #}
{% macro clean_text(value) -%}
    {{ return(adapter.dispatch('clean_text', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__clean_text(value) -%}
    nullif(trim({{ value }}, chr(32) || chr(9) || chr(10) || chr(13)), '')
{%- endmacro %}
