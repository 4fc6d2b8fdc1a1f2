{# The truth value that a text names. #}
{% macro text_as_boolean(value) -%}
    case
        when lower({{ value }}) in ('true', 't', 'yes', 'y', '1') then true
        when lower({{ value }}) in ('false', 'f', 'no', 'n', '0') then false
    end
{%- endmacro %}
