{# The figures that add up over days (`additive_metrics`), from a relation with the stored measures. #}
{% macro additive_figures(relation) -%}
        {{- public_measures(relation) }},
        {{ ratio(relation ~ '.talk_seconds', 60) }} as talk_minutes,
        {{ relation }}.calls + {{ relation }}.emails_sent + {{ relation }}.messages_sent
        + {{ relation }}.social_touches + {{ relation }}.proposals_sent
        + {{ relation }}.presentations + {{ relation }}.meetings_held as sales_actions
{%- endmacro %}
