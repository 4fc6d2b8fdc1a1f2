-- One row per contact and stretch of time in which one lead is the contact's lead:
-- the one created last before it. A lead counts a little before its creation, since
-- telephony makes it moments after the call began; of leads created at the same
-- instant, the smallest key.

{{ config(materialized='tracked_table') }}

with leads as (

    select * from {{ ref('int_leads__resolved') }}

),

leads_by_instant as (

    select
        contact_id,
        created_at,
        min(lead_id) as lead_id
    from leads
    where contact_id is not null
    group by 1, 2

),

matched as (

    select
        contact_id,
        lead_id,
        {{ add_seconds('created_at', '-' ~ var('lead_match_tolerance_seconds')) }} as matches_from
    from leads_by_instant

),

final as (

    select
        matched.contact_id,
        matched.lead_id,
        leads.source_id,
        matched.matches_from,
        coalesce(
            lead(matched.matches_from) over (
                partition by matched.contact_id order by matched.matches_from
            ),
            {{ utc_instant('9999-12-31 00:00:00') }}
        ) as matches_until
    from matched
    inner join leads
        on matched.lead_id = leads.lead_id

)

select * from final
