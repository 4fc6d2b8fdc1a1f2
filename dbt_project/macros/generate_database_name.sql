{# What is published lives in a file of its own: publishing it is a copy of that file. #}
{% macro generate_database_name(custom_database_name, node) -%}
    {%- if node.config.schema in ['marts', 'metrics', 'quality', 'quarantine'] -%}
        voronka_marts
    {%- else -%}
        {{ target.database }}
    {%- endif -%}
{%- endmacro %}
