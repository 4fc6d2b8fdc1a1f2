{#
  A member's text as marts show it: cut at 500 characters, since marts repeat it in every row.
  The whole text stays in staging.
#}
{% macro display_text(value) -%}
    left({{ value }}, 500)
{%- endmacro %}
