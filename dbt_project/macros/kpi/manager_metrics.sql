{# The figures of kpi_manager_period that add up over days. #}
{% macro additive_metrics() %}
    {% do return(daily_measures() + ['talk_minutes', 'sales_actions']) %}
{% endmacro %}

{# The figures of kpi_manager_period that are a state on a day. #}
{% macro open_metrics() %}
    {% do return(['open_deals', 'open_amount', 'presale_deals', 'presale_amount']) %}
{% endmacro %}

{# The figures of kpi_manager_period that are quotients or medians. #}
{% macro ratio_metrics() %}
    {% do return(
        (period_ratios() | map('first') | list) + ['median_cycle_days', 'median_response_minutes']
    ) %}
{% endmacro %}
