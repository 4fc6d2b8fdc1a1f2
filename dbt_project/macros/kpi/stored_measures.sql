{#
  The daily measures as they are stored to be summed: as kpi_daily has them, but
  cycles in whole microseconds, since sums of fractions depend on their order.
#}
{% macro stored_measures() %}
    {%- set measures = [] -%}
    {%- for measure in daily_measures() -%}
        {%- do measures.append(
            'cycle_microseconds_won' if measure == 'cycle_days_won' else measure
        ) -%}
    {%- endfor -%}
    {%- do return(measures) -%}
{% endmacro %}
