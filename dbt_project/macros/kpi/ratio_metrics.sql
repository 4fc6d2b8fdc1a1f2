{# The figures of kpi_manager_period that are quotients or medians. #}
{% macro ratio_metrics() %}
    {% do return(
        period_ratios() + ['median_cycle_days', 'median_response_minutes']
    ) %}
{% endmacro %}
