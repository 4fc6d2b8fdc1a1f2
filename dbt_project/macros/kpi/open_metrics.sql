{# The figures of kpi_manager_period that are a state on a day. #}
{% macro open_metrics() %}
    {% do return(['open_deals', 'open_amount', 'presale_deals', 'presale_amount']) %}
{% endmacro %}
