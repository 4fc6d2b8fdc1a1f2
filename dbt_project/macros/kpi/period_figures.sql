{#
  The columns that kpi_manager_period and kpi_company_period share, from a relation
  with the stored measures, the lead response, the deal cycle and the open pipeline
  of a period.
#}
{% macro period_figures(relation) -%}
        {{- public_measures(relation) }},
        {{ ratio('talk_seconds', 60) }} as talk_minutes,
        {%- for name, numerator, denominator in period_ratios() %}
        {{ ratio(numerator, denominator) }} as {{ name }},
        {%- endfor %}
        median_cycle_days,
        median_response_minutes,
        open_deals,
        open_amount,
        presale_deals,
        presale_amount,
        calls + emails_sent + messages_sent + social_touches + proposals_sent
        + presentations + meetings_held as sales_actions
{%- endmacro %}
