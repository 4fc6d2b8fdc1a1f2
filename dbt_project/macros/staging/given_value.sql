{# A value before it is read: text without blanks around it, an instant for a time without zone. #}
{% macro given_value(name, given_type) -%}
    {%- if kind_of_type(given_type) == 'text' -%}
        {{ clean_text(name) }}
    {%- elif kind_of_type(given_type) == 'wall_time' -%}
        {{ instant_of_wall_time(name) }}
    {%- else -%}
        {{ name }}
    {%- endif -%}
{%- endmacro %}
