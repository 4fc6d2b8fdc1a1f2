create temp table export_deal_stage_history as
select
    deal_id || '-' || step as event_id,
    deal_id,
    stage_id,
    moment(moved_week) as entered_at,
    manager_of(job, contact, moved_week) as manager_id,
    moment(moved_week) as updated_at,
    false as is_deleted,
    load_of(deal_id || step, moment(moved_week)) as load_no
from moves
where draw(deal_id || step, 'unwritten') >= 0.01;

create temp table export_meetings as
with dated as (

    select
        *,
        moment(set_week) as set_at,
        moment(confirmed_week) as confirmed_at,
        moment(held_week) as held_at,
        moment(cancelled_week) as cancelled_at,
        moment(deleted_week) as deleted_at,
        load_of(meeting_id, moment(set_week)) as first_load
    from meetings

),

versions as (

    select
        *,
        unnest(loads_of(first_load, [confirmed_at, held_at, cancelled_at, deleted_at])) as load_no
    from dated

),

seen as (

    select
        *,
        getvariable('until_at')[load_no + 1] as until_at
    from versions

)

select
    meeting_id,
    lead_id,
    if(draw(meeting_id, 'own deal') < 0.4, 'D' || lead_id[2:], null) as deal_id,
    if(draw(meeting_id, 'own contact') < 0.5, contact_id(contact), null) as contact_id,
    manager_of('lead_generator', contact, set_week) as set_by,
    manager_of('hunter', contact, planned_week) as held_by,
    set_at,
    moment(planned_week) as scheduled_for,
    seen(confirmed_at, until_at) as confirmed_at,
    if(draw(meeting_id, 'clock') < 0.001, later(set_at, -86400), seen(held_at, until_at)) as held_at,
    seen(cancelled_at, until_at) as cancelled_at,
    case when draw(meeting_id, 'kind') < 0.35 then 'demo' when draw(meeting_id, 'kind') < 0.5 then 'visit'
        when draw(meeting_id, 'kind') < 0.9 then 'meeting'
    end as kind,
    greatest(
        set_at, seen(confirmed_at, until_at), seen(held_at, until_at),
        seen(cancelled_at, until_at), seen(deleted_at, until_at)
    ) as updated_at,
    coalesce(deleted_at < until_at, false) as is_deleted,
    load_no
from seen
where load_no < getvariable('loads');
