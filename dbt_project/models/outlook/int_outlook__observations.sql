-- One row per open deal and day on which deals are looked at: where it stood at the end of
-- that day, as the history up to it says.

{{ config(materialized='touched_keys', meta={
    'key': 'deal_id',
    'touched_by': {
        'int_outlook__states': 'select deal_id from changes',
        'int_outlook__days': 'select deal_id from this semi join changes on observed_on = date_day union all select deal_id from int_outlook__states semi join changes on date_day >= from_on and date_day < until_on',
        'int_outlook__attributes': "select deal_id from int_outlook__deal_links where link = 'lead' and linked_id in (select party_id from changes where party = 'lead') union all select party_id as deal_id from changes where party = 'deal'",
        'int_outlook__deal_links': 'select deal_id from changes',
    },
}) }}

with states as (

    select * from {{ ref('int_outlook__states') }}
    {{ where_touched('deal_id') }}

),

days as (

    select * from {{ ref('int_outlook__days') }}

),

attributes as (

    select * from {{ ref('int_outlook__attributes') }}

),

leads as (

    select * from {{ ref('int_outlook__deal_links') }}
    where link = 'lead'

),

observed as (

    select
        states.deal_id,
        leads.linked_id as lead_id,
        leads.known_on as lead_known_on,
        days.date_day as observed_on,
        days.is_as_of,
        days.is_week_end,
        days.is_month_end,
        days.is_forecast_day,
        states.stage_id,
        states.pipeline_id,
        states.stage_kind,
        states.entry_no,
        states.meeting_state,
        {{ days_between('states.created_on', 'days.date_day') }} as age_days,
        {{ days_between('states.entered_on', 'days.date_day') }} as days_in_stage,
        {{ days_between('states.last_contact_on', 'days.date_day') }} as days_since_contact
    from states
    inner join days
        on
            days.date_day >= states.from_on
            and days.date_day < states.until_on
    left join leads
        on states.deal_id = leads.deal_id

),

final as (

    select
        observed.deal_id,
        observed.observed_on,
        observed.is_as_of,
        observed.is_week_end,
        observed.is_month_end,
        observed.is_forecast_day,
        observed.stage_id,
        observed.pipeline_id,
        observed.stage_kind,
        observed.entry_no,
        observed.meeting_state,
        observed.age_days,
        observed.days_in_stage,
        observed.days_since_contact,
        coalesce(
            own.source_id, case when observed.lead_known_on <= observed.observed_on
                then of_lead.source_id end
        ) as source_id,
        own.deal_type
    from observed
    left join attributes as own
        on
            own.party = 'deal'
            and observed.deal_id = own.party_id
            and observed.observed_on >= own.known_from
            and observed.observed_on < own.known_until
    left join attributes as of_lead
        on
            of_lead.party = 'lead'
            and observed.lead_id = of_lead.party_id
            and observed.observed_on >= of_lead.known_from
            and observed.observed_on < of_lead.known_until

)

select * from final
