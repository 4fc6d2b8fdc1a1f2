{# The ratios of kpi_manager_period that are shares of counts: what a manager is coached by. #}
{% macro manager_rates() %}
    {%- set rates = [] -%}
    {%- for name in period_ratios() if not name.startswith('avg_') -%}
        {%- do rates.append(name) -%}
    {%- endfor -%}
    {% do return(rates) %}
{% endmacro %}
