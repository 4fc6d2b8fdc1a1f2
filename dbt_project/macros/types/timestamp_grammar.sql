{# The raw contract's grammar of a timestamp; a date alone is one too. #}
{% macro timestamp_grammar() -%}
    ^[0-9]{4}-[0-9]{2}-[0-9]{2}
    {%- set hour = '([01][0-9]|2[0-3])' -%}
    {%- set sixty = '[0-5][0-9]' -%}
    ([T ]{{ hour }}:{{ sixty }}(:{{ sixty }}([.][0-9]+)?)?
    {{- '' -}}
    (Z|[+-]{{ hour }}(:?{{ sixty }})?)?)?$
{%- endmacro %}
