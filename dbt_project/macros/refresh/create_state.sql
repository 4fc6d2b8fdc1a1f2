{# Where the incremental models keep which files they read, what changed, and of which inputs they are. #}
{% macro create_state() -%}
    create schema if not exists state
{%- endmacro %}
