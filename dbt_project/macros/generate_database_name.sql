{# What is published lives in a file of its own: publishing it is a copy of that file. #}
{% macro generate_database_name(custom_database_name, node) -%}
    {{ return(adapter.dispatch('generate_database_name', 'voronka')(custom_database_name, node)) }}
{%- endmacro %}

{% macro duckdb__generate_database_name(custom_database_name, node) -%}
    {%- if node.config.schema in ['marts', 'metrics', 'quality', 'quarantine'] -%}
        voronka_marts
    {%- else -%}
        {{ target.database }}
    {%- endif -%}
{%- endmacro %}

{# A cluster knows schemas alone. #}
{% macro spark__generate_database_name(custom_database_name, node) -%}
    {%- do return(none) -%}
{%- endmacro %}
