{# The figures of kpi_manager_period that add up over days. #}
{% macro additive_metrics() %}
    {% do return(daily_measures() + ['talk_minutes', 'sales_actions']) %}
{% endmacro %}
