{# The ratios of a period that divide two of its figures: [name, numerator, denominator]. #}
{% macro period_ratios() %}
    {% do return([
        ['answer_rate', 'calls_answered', 'calls'],
        ['call_to_meeting_rate', 'meetings_set', 'calls_60s'],
        ['meeting_confirmation_rate', 'meetings_confirmed', 'meetings_set'],
        ['confirmed_to_held_rate', 'set_meetings_held', 'meetings_confirmed'],
        ['meeting_show_rate', 'set_meetings_held', 'meetings_set'],
        ['held_to_paid_rate', 'set_meetings_paid', 'set_meetings_held'],
        ['target_lead_rate', 'leads_target', '(leads_target + leads_non_target)'],
        ['win_rate', 'deals_won', '(deals_won + deals_lost)'],
        ['won_share', 'deals_won', 'deals_created'],
        ['lead_conversion_rate', 'new_customers', 'leads_created'],
        ['avg_deal_size', 'won_amount', 'deals_won'],
        ['avg_cycle_days', 'cycle_microseconds_won / ' ~ microseconds_per_day(), 'deals_won'],
        ['avg_response_minutes', 'response_seconds / 60', 'leads_answered'],
        ['responded_in_5min_rate', 'leads_answered_in_5min', 'leads_created'],
        ['csat', 'surveys_positive', 'surveys'],
        ['avg_call_score', 'evaluation_score', 'evaluated_calls'],
        ['needs_found_rate', 'needs_found', 'evaluated_calls'],
        ['presentation_rate', 'presentations_made', 'evaluated_calls'],
        ['objections_rate', 'objections_handled', 'evaluated_calls'],
        ['next_step_rate', 'next_steps_agreed', 'evaluated_calls'],
    ]) %}
{% endmacro %}
