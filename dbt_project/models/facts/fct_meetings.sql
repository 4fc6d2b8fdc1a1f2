-- One row per existing meeting.

with meetings as (

    select * from {{ ref('int_meetings__resolved') }}

),

paid_meetings as (

    select * from {{ ref('int_deals__paid_meeting') }}

),

contact_names as (

    select * from {{ ref('dim_contact') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

keyed as (

    select
        meetings.meeting_id,
        meetings.lead_id,
        meetings.deal_id,
        coalesce(meetings.contact_id, 'unknown') as contact_id,
        coalesce(meetings.set_by, 'unknown') as set_by,
        coalesce(meetings.held_by, 'unknown') as held_by,
        coalesce(meetings.source_id, 'unknown') as source_id,
        meetings.kind,
        case
            when meetings.held_at is not null then 'held'
            when meetings.cancelled_at is not null then 'cancelled'
            when meetings.confirmed_at is not null then 'confirmed'
            else 'set'
        end as status,
        meetings.set_at,
        {{ local_date('meetings.set_at') }} as set_on,
        meetings.scheduled_for,
        meetings.confirmed_at,
        {{ local_date('meetings.confirmed_at') }} as confirmed_on,
        meetings.held_at,
        {{ local_date('meetings.held_at') }} as held_on,
        meetings.cancelled_at,
        paid_meetings.first_paid_at,
        {{ local_date('paid_meetings.first_paid_at') }} as first_paid_on
    from meetings
    left join paid_meetings
        on meetings.meeting_id = paid_meetings.meeting_id

),

final as (

    select
        keyed.*,
        contact_names.contact_name,
        setters.manager_name as set_by_name,
        holders.manager_name as held_by_name,
        source_names.source_name
    from keyed
    left join contact_names
        on keyed.contact_id = contact_names.contact_id
    left join manager_names as setters
        on keyed.set_by = setters.manager_id
    left join manager_names as holders
        on keyed.held_by = holders.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
