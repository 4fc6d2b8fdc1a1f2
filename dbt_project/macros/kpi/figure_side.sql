{#
  One side of a figure that is a quotient (figure_definitions.sql): 0 its numerator,
  1 its denominator, from a relation that has what they are made of. A side that divides is a DOUBLE,
  as every quotient: a decimal by a whole number is a decimal to some engines.
#}
{% macro figure_side(name, side, relation=none) -%}
    {%- set column = relation ~ '.' if relation else '' -%}
    {%- set sql = figure_definitions()[name][side] | replace('[', column) | replace(']', '') -%}
    {{ ratio(*sql.split(' / ')) if ' / ' in sql else sql }}
{%- endmacro %}
