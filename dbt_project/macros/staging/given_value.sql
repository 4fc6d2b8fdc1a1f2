{# A value before it is read: text without blanks around it, an instant for a time without zone. #}
{% macro given_value(name, given_type) -%}
    {%- if given_type == 'VARCHAR' -%}
        {{ clean_text(name) }}
    {%- elif given_type == 'TIMESTAMP' -%}
        {{ instant_of_wall_time(name) }}
    {%- else -%}
        {{ name }}
    {%- endif -%}
{%- endmacro %}
