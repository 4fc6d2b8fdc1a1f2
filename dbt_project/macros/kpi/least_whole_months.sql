{# Fewer whole months say nothing of the business of a month. #}
{% macro least_whole_months() -%}
    {{ return(3) }}
{%- endmacro %}
