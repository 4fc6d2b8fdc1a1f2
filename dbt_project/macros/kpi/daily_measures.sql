{# The additive columns of kpi_daily, in the dictionary's order. #}
{% macro daily_measures() %}
    {% do return([
        'calls', 'calls_inbound', 'calls_outbound', 'calls_answered', 'calls_60s',
        'talk_seconds', 'calls_missed', 'first_calls', 'followup_calls',
        'leads_created', 'leads_taken', 'leads_target', 'leads_non_target',
        'emails_sent', 'messages_sent', 'social_touches', 'proposals_sent', 'presentations',
        'meetings_set', 'meetings_confirmed', 'set_meetings_held', 'set_meetings_paid',
        'meetings_held', 'demos_held', 'visits_held',
        'deals_created', 'deals_won', 'deals_lost', 'upsells_won', 'won_amount',
        'cycle_days_won',
        'revenue', 'refunds', 'revenue_new', 'revenue_repeat', 'new_customers',
        'surveys', 'surveys_positive', 'survey_score',
        'evaluated_calls', 'evaluation_score', 'needs_found', 'presentations_made',
        'objections_handled', 'next_steps_agreed',
    ]) %}
{% endmacro %}
