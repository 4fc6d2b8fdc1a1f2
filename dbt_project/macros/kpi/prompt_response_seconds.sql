{# A lead answered within this time was answered promptly: the five minutes in names like `leads_answered_in_5min`. #}
{% macro prompt_response_seconds() -%}
    300
{%- endmacro %}
