{#
  The columns that kpi_manager_period and kpi_company_period share, from a relation
  with the stored measures, the lead response, the deal cycle and the open pipeline
  of a period.
#}
{% macro period_figures(relation) -%}
        {{- additive_figures(relation) }},
        {%- for name in period_ratios() %}
        {{ figure(name, relation) }} as {{ name }},
        {%- endfor %}
        median_cycle_days,
        median_response_minutes,
        open_deals,
        open_amount,
        presale_deals,
        presale_amount
{%- endmacro %}
