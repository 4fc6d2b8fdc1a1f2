{#
  A figure that is made of others (figure_definitions.sql), from a relation that has these.
  Dividing gives a DOUBLE, and NULL where the denominator is 0.
#}
{% macro figure(name, relation=none) -%}
    {%- set column = relation ~ '.' if relation else '' -%}
    {%- set sides = [] -%}
    {%- for side in figure_definitions()[name] if side is not none -%}
        {%- do sides.append(side | replace('[', column) | replace(']', '')) -%}
    {%- endfor -%}
    {%- if sides | length == 2 -%}
        {{ ratio(sides[0], sides[1]) }}
    {%- else -%}
        {{ sides[0] }}
    {%- endif -%}
{%- endmacro %}
