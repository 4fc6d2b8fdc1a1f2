-- Returns a measure whose sum over a mart's cells is not the count (or sum) taken from
-- the facts themselves, with both figures.

{% set sent = "coalesce(direction, 'out') = 'out'" %}
{% set facts = {
    'fct_calls': {
        'calls': 'count(*)',
        'calls_inbound': "count(*) filter (where direction = 'in')",
        'calls_outbound': "count(*) filter (where direction = 'out')",
        'calls_answered': 'count(*) filter (where is_answered)',
        'calls_60s': 'count(*) filter (where is_meaningful)',
        'talk_seconds': 'sum(talk_seconds) filter (where is_answered)',
        'calls_missed': "count(*) filter (where direction = 'in' and not is_answered)",
        'first_calls': 'count(*) filter (where is_in_first_session)',
        'followup_calls': "count(*) filter (where contact_id != 'unknown')
            - count(*) filter (where is_in_first_session)",
    },
    'fct_leads': {
        'leads_created': 'count(*)',
        'leads_taken': 'count(taken_at)',
        'leads_target': 'count(*) filter (where is_target)',
        'leads_non_target': 'count(*) filter (where not is_target)',
    },
    'fct_activities': {
        'emails_sent': "count(*) filter (where kind = 'email' and " ~ sent ~ ')',
        'messages_sent': "count(*) filter (where kind = 'message' and " ~ sent ~ ')',
        'social_touches': "count(*) filter (where kind = 'social' and " ~ sent ~ ')',
        'proposals_sent': "count(*) filter (where kind = 'proposal' and " ~ sent ~ ')',
        'presentations': "count(*) filter (where kind = 'presentation')",
    },
    'fct_meetings': {
        'meetings_set': 'count(*)',
        'meetings_confirmed': 'count(confirmed_at)',
        'set_meetings_held': 'count(held_at)',
        'set_meetings_paid': 'count(distinct deal_id) filter (where held_at <= first_paid_at)',
        'meetings_held': 'count(held_at)',
        'demos_held': "count(held_at) filter (where kind = 'demo')",
        'visits_held': "count(held_at) filter (where kind = 'visit')",
    },
    'fct_deals': {
        'deals_created': 'count(*)',
        'deals_won': "count(*) filter (where outcome = 'won')",
        'deals_lost': "count(*) filter (where outcome = 'lost')",
        'upsells_won': "count(*) filter (where outcome = 'won' and deal_type = 'upsell')",
        'won_amount': "sum(amount) filter (where outcome = 'won')",
        'cycle_days_won': 'sum(cycle_microseconds)',
    },
    'fct_payments': {
        'revenue': 'sum(amount)',
        'refunds': "-sum(amount) filter (where kind = 'refund')",
        'revenue_new': "sum(amount) filter (
            where deal_type is null or deal_type not in ('repeat', 'upsell')
        )",
        'revenue_repeat': "sum(amount) filter (where deal_type in ('repeat', 'upsell'))",
        'new_customers': "count(distinct contact_id) filter (
            where kind = 'payment' and contact_id != 'unknown'
        )",
    },
    'surveys': {
        'surveys': 'count(*)',
        'surveys_positive': 'count(*) filter (where score >= 4)',
        'survey_score': 'sum(score)',
    },
    'evaluations': {
        'evaluated_calls': 'count(*)',
        'evaluation_score': 'sum(score)',
        'needs_found': 'count(*) filter (where needs_found)',
        'presentations_made': 'count(*) filter (where presentation_made)',
        'objections_handled': 'count(*) filter (where objections_handled)',
        'next_steps_agreed': 'count(*) filter (where next_step_agreed)',
    },
} %}

with kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

fct_calls as (

    select
        calls.*,
        sessions.is_first_contact as is_in_first_session
    from {{ ref('fct_calls') }} as calls
    left join {{ ref('fct_call_sessions') }} as sessions
        on calls.session_id = sessions.session_id

),

fct_leads as (

    select * from {{ ref('fct_leads') }}

),

fct_activities as (

    select * from {{ ref('fct_activities') }}

),

fct_meetings as (

    select
        meetings.*,
        deals.first_paid_at
    from {{ ref('fct_meetings') }} as meetings
    left join {{ ref('fct_deals') }} as deals
        on meetings.deal_id = deals.deal_id

),

fct_deals as (

    select * from {{ ref('fct_deals') }}

),

fct_payments as (

    select * from {{ ref('fct_payments') }}

),

surveys as (

    select * from {{ ref('stg_crm__surveys') }}

),

evaluations as (

    select * from {{ ref('stg_telephony__call_evaluations') }}

),

in_mart as (

    select
        {%- for measure in daily_measures() %}
        coalesce(sum({{ measure }}), 0) as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from kpi_daily

),

{% for fact, measures in facts.items() %}
in_{{ fact }} as (

    select
        {%- for measure, direct in measures.items() %}
        coalesce({{ direct }}, 0) as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ fact }}

),

{% endfor -%}
final as (

    {% for fact, measures in facts.items() %}
    {%- set last_fact = loop.last %}
    {%- for measure in measures %}
    select
        '{{ measure }}' as measure,
        cast(in_mart.{{ measure }} as string) as in_kpi_daily,
        {%- if measure == 'cycle_days_won' %}
        cast(in_{{ fact }}.{{ measure }} / 86400000000 as string) as in_facts
        {%- else %}
        cast(in_{{ fact }}.{{ measure }} as string) as in_facts
        {%- endif %}
    from in_mart
    cross join in_{{ fact }}
    {%- if measure == 'cycle_days_won' %}
    -- Days are fractions: their sum depends on its order in the last digits.
    where abs(in_mart.{{ measure }} - in_{{ fact }}.{{ measure }} / 86400000000)
        > 1e-9 * greatest(abs(in_mart.{{ measure }}), 1)
    {%- else %}
    where in_mart.{{ measure }} != in_{{ fact }}.{{ measure }}
    {%- endif %}
    {% if not (loop.last and last_fact) %}union all{% endif %}
    {%- endfor %}
    {%- endfor %}

)

select * from final
