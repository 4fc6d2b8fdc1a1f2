{# Made by `make docs` from dbt_project/models/semantic/metrics: edit those.
   [numerator, denominator] of each figure that is made of others, columns in brackets;
   without a denominator it is the numerator alone. #}
{% macro figure_definitions() %}
    {% do return({
        'sales_actions': [
            '[calls] + [emails_sent] + [messages_sent] + [social_touches] + [proposals_sent] + [presentations] + [meetings_held]',
            none,
        ],
        'avg_call_score': [
            '[evaluation_score]',
            '[evaluated_calls]',
        ],
        'needs_found_rate': [
            '[needs_found]',
            '[evaluated_calls]',
        ],
        'presentation_rate': [
            '[presentations_made]',
            '[evaluated_calls]',
        ],
        'objections_rate': [
            '[objections_handled]',
            '[evaluated_calls]',
        ],
        'next_step_rate': [
            '[next_steps_agreed]',
            '[evaluated_calls]',
        ],
        'csat': [
            '[surveys_positive]',
            '[surveys]',
        ],
        'talk_minutes': [
            '[talk_seconds]',
            '60',
        ],
        'answer_rate': [
            '[calls_answered]',
            '[calls]',
        ],
        'churn_rate': [
            '[churned_customers]',
            '[active_customers_before]',
        ],
        'cac': [
            '[ad_spend] + [sales_cost]',
            '[new_customers]',
        ],
        'cpl': [
            '[ad_spend]',
            '[leads_created]',
        ],
        'cost_per_target_lead': [
            '[ad_spend]',
            '[leads_target]',
        ],
        'source_cac': [
            '[ad_spend]',
            '[new_customers]',
        ],
        'arpc': [
            '[revenue]',
            '[active_customers]',
        ],
        'cycle_days_won': [
            '[cycle_microseconds_won]',
            microseconds_per_day(),
        ],
        'deals_closed': [
            '[deals_won] + [deals_lost]',
            none,
        ],
        'win_rate': [
            '[deals_won]',
            '[deals_won] + [deals_lost]',
        ],
        'won_share': [
            '[deals_won]',
            '[deals_created]',
        ],
        'avg_deal_size': [
            '[won_amount]',
            '[deals_won]',
        ],
        'avg_cycle_days': [
            '[cycle_microseconds_won] / ' ~ microseconds_per_day(),
            '[deals_won]',
        ],
        'skipped': [
            '[reached] - [entered]',
            none,
        ],
        'conversion_to_next': [
            '[advanced]',
            '[reached]',
        ],
        'leads_judged': [
            '[leads_target] + [leads_non_target]',
            none,
        ],
        'target_lead_rate': [
            '[leads_target]',
            '[leads_target] + [leads_non_target]',
        ],
        'call_to_meeting_rate': [
            '[meetings_set]',
            '[calls_60s]',
        ],
        'meeting_confirmation_rate': [
            '[meetings_confirmed]',
            '[meetings_set]',
        ],
        'confirmed_to_held_rate': [
            '[set_meetings_held]',
            '[meetings_confirmed]',
        ],
        'meeting_show_rate': [
            '[set_meetings_held]',
            '[meetings_set]',
        ],
        'held_to_paid_rate': [
            '[set_meetings_paid]',
            '[set_meetings_held]',
        ],
        'missed_calls_recovered': [
            '[recovered_by_agent] + [recovered_by_client]',
            none,
        ],
        'missed_calls_settled': [
            '[recovered_by_agent] + [recovered_by_client] + [missed_calls_lost]',
            none,
        ],
        'missed_recovery_rate': [
            '[recovered_by_agent] + [recovered_by_client]',
            '[recovered_by_agent] + [recovered_by_client] + [missed_calls_lost]',
        ],
        'avg_recovery_minutes': [
            '[recovery_seconds] / 60',
            '[recovered_by_agent] + [recovered_by_client]',
        ],
        'attainment': [
            '[actual]',
            '[target]',
        ],
        'pace': [
            '[actual_to_date]',
            '[target_to_date]',
        ],
        'answered_rate': [
            '[leads_answered]',
            '[leads_created]',
        ],
        'responded_in_5min_rate': [
            '[leads_answered_in_5min]',
            '[leads_created]',
        ],
        'avg_response_minutes': [
            '[response_seconds] / 60',
            '[leads_answered]',
        ],
        'avg_response_working_minutes': [
            '[response_working_seconds] / 60',
            '[leads_answered]',
        ],
        'retention_rate': [
            '1 - [churn_rate]',
            none,
        ],
        'lead_conversion_rate': [
            '[new_customers]',
            '[leads_created]',
        ],
        'romi': [
            '[revenue] - [ad_spend]',
            '[ad_spend]',
        ],
        'avg_answer_wait_seconds': [
            '[answer_wait_seconds]',
            '[answer_waits]',
        ],
        'avg_missed_wait_seconds': [
            '[missed_wait_seconds]',
            '[missed_waits]',
        ],
    }) %}
{% endmacro %}
