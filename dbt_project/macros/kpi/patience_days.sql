{# How many days after the day on which a won deal was due its payment is still expected. #}
{% macro patience_days() -%}
    {{ return(30) }}
{%- endmacro %}
