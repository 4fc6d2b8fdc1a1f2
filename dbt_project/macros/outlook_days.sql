{# How far back the outlook looks, in days: five years. What is older says little of today. #}
{% macro outlook_days() -%}
    {{ return(1826) }}
{%- endmacro %}
