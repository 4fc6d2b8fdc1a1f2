{#
  The key of a joined parent row; NULL where there is none, and for a raw row with
  the key `unknown`: that row is the unknown member, which finds nothing.
#}
{% macro found(key) -%}
    nullif({{ key }}, 'unknown')
{%- endmacro %}
