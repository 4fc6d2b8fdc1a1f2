{#
  A figure that is made of others (figure_definitions.sql), from a relation that has these.
  Dividing gives a DOUBLE, and NULL where the denominator is 0.
#}
{% macro figure(name, relation=none) -%}
    {%- set numerator = figure_side(name, 0, relation) -%}
    {%- if figure_definitions()[name][1] is none -%}
        {{ numerator }}
    {%- else -%}
        {{ ratio(numerator, figure_side(name, 1, relation)) }}
    {%- endif -%}
{%- endmacro %}
