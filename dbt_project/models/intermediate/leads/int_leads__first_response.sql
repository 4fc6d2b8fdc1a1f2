-- One row per lead that was answered: the least time of an outbound or an answered
-- inbound conversation with it, or of a written touch that went out. A response may
-- come a little before the lead, since telephony makes it moments after the call.

{{ config(materialized='touched_keys', meta={
    'key': 'lead_id',
    'touched_by': {
        'int_leads__resolved': 'select lead_id from changes',
        'int_calls__sessions': 'select lead_id from int_calls__session_identity semi join changes using (session_id)',
        'int_calls__session_identity': 'select lead_id from changes',
        'int_activities__resolved': 'select lead_id from changes',
    },
}) }}

with leads as (

    select * from {{ ref('int_leads__resolved') }}
    {{ where_touched('lead_id') }}

),

sessions as (

    select * from {{ ref('int_calls__sessions') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}
    {{ where_touched('lead_id') }}

),

activities as (

    select * from {{ ref('int_activities__resolved') }}
    {{ where_touched('lead_id') }}

),

responses as (

    select
        session_identity.lead_id,
        sessions.started_at as responded_at
    from sessions
    inner join session_identity
        on sessions.session_id = session_identity.session_id
    where
        session_identity.lead_id is not null
        and (sessions.direction = 'out' or sessions.is_answered)

    union all

    select
        lead_id,
        happened_at as responded_at
    from activities
    where
        lead_id is not null
        and kind in ('email', 'message', 'social', 'proposal')
        and coalesce(direction, 'out') = 'out'

),

final as (

    select
        leads.lead_id,
        leads.created_at,
        min(responses.responded_at) as first_response_at
    from leads
    inner join responses
        on leads.lead_id = responses.lead_id
    where
        responses.responded_at
        >= {{ add_seconds('leads.created_at', '-' ~ var('lead_match_tolerance_seconds')) }}
    group by 1, 2

)

select * from final
