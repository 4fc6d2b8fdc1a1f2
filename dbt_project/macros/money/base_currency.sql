{# The base currency as an SQL text, in upper case as staging reads codes. #}
{% macro base_currency() -%}
    '{{ var("base_currency") | trim | upper }}'
{%- endmacro %}
