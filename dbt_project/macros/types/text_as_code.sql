{# A code as enumerations spell it: `NO ANSWER` is no_answer, `Incoming` is in. #}
{% macro text_as_code(value, synonyms={}) -%}
    {%- set code -%}
        replace(replace({{ lower_case(value) }}, ' ', '_'), '-', '_')
    {%- endset -%}
    {%- if synonyms -%}
    case {{ code }}
        {%- for synonym, meaning in synonyms.items() %}
        when '{{ synonym }}' then '{{ meaning }}'
        {%- endfor %}
        else {{ code }}
    end
    {%- else -%}
    {{ code }}
    {%- endif -%}
{%- endmacro %}
