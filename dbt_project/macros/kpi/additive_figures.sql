{# The figures that add up over days (`additive_metrics`), from a relation with the stored measures. #}
{% macro additive_figures(relation) -%}
        {{- public_measures(relation) }},
        {{ figure('talk_minutes', relation) }} as talk_minutes,
        {{ figure('sales_actions', relation) }} as sales_actions
{%- endmacro %}
