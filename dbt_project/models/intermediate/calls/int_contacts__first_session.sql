-- One row per contact who was ever on the phone: the first conversation with it.

{{ config(materialized='touched_keys', meta={
    'key': 'contact_id',
    'touched_by': {
        'int_calls__sessions': 'select contact_id from int_calls__session_identity semi join changes using (session_id)',
        'int_calls__session_identity': 'select contact_id from changes',
    },
}) }}

with sessions as (

    select * from {{ ref('int_calls__sessions') }}

),

session_identity as (

    select * from {{ ref('int_calls__session_identity') }}
    {{ where_touched('contact_id') }}

),

final as (

    select
        session_identity.contact_id,
        min_by(
            sessions.session_id,
            {{ tuple_of(['sessions.started_at', 'sessions.session_id']) }}
        ) as session_id
    from sessions
    inner join session_identity
        on sessions.session_id = session_identity.session_id
    where session_identity.contact_id is not null
    group by 1

)

select * from final
