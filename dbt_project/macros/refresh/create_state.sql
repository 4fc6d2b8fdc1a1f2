{# Where refreshes remember which files they read and what they changed. #}
{% macro create_state() -%}
    create schema if not exists state
{%- endmacro %}
