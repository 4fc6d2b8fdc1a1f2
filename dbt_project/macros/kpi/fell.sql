{#
  Whether a figure fell against the period before (`previous_<metric>` beside it).
  Without data in either period it did not.
#}
{% macro fell(metric) -%}
    coalesce({{ metric }} < {{ var('diagnostic_drop') }} * previous_{{ metric }}, false)
{%- endmacro %}
