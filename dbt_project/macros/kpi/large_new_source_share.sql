{# From this share of meetings set, sources that are new to a manager explain a fall. #}
{% macro large_new_source_share() -%}
    0.3
{%- endmacro %}
