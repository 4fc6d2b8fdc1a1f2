{#
  One side of a figure that is a quotient (figure_definitions.sql): 0 its numerator,
  1 its denominator, from a relation that has what they are made of.
#}
{% macro figure_side(name, side, relation=none) -%}
    {%- set column = relation ~ '.' if relation else '' -%}
    {{ figure_definitions()[name][side] | replace('[', column) | replace(']', '') }}
{%- endmacro %}
