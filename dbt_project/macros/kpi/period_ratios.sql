{# The ratios that kpi_manager_period and kpi_company_period share. #}
{% macro period_ratios() %}
    {% do return([
        'answer_rate', 'call_to_meeting_rate', 'meeting_confirmation_rate',
        'confirmed_to_held_rate', 'meeting_show_rate', 'held_to_paid_rate', 'target_lead_rate',
        'win_rate', 'won_share', 'lead_conversion_rate', 'avg_deal_size', 'avg_cycle_days',
        'avg_response_minutes', 'responded_in_5min_rate', 'csat', 'avg_call_score',
        'needs_found_rate', 'presentation_rate', 'objections_rate', 'next_step_rate',
    ]) %}
{% endmacro %}
