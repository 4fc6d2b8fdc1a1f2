-- What the CRM exports of it: a version of a row for each load in which it changed. Columns of the
-- zone, and `load_no`.

-- The loads in which something happened to a row, the first of them given.
create macro loads_of(first_load, instants) as list_distinct(list_concat(
    [first_load],
    list_transform(
        list_filter(instants, lambda instant: instant is not null),
        lambda instant: greatest(first_load, punctual_load(instant))
    )
));
create macro seen(instant, until_at) as case when instant < until_at then instant end;
-- Rows come again although nothing in them changed: 1 % a load later.
create macro repeated_loads(key, first_load) as case
    when draw(key, 'comes again') < 0.01 and first_load < getvariable('last_month')
        then [first_load, first_load + 1]
    else list_filter(
        [first_load, day_of_change(key, 'seen again', 0.00002)],
        lambda load_no: load_no is not null
            and (load_no = first_load or first_load <= getvariable('last_month'))
    )
end;

create temp table export_contacts as
with versions as (

    select
        *,
        load_of(contact, created_at) as first_load,
        unnest(repeated_loads(contact, load_of(contact, created_at))) as load_no
    from contacts

)

select
    contact_id(contact) as contact_id,
    'Контакт ' || contact as name,
    case when draw(contact, 'company') < 0.7
        then 'ООО «Фирма ' || cast(floor(contact * 0.8) as bigint) || '»'
    end as company,
    case
        when load_no > first_load then 'new' || contact || '@client.example'
        when draw(contact, 'mail') < 0.6 then 'c' || contact || '@client.example'
    end as email,
    created_at,
    if(draw(contact, 'has source') < 0.93, source_id, null) as source_id,
    if(load_no > first_load, getvariable('until_at')[load_no + 1] - interval 5 hour, created_at)
        as updated_at,
    false as is_deleted,
    load_no
from versions;

create temp table export_contact_phones as
with owned as (

    select contact, created_at, phone_number(contact) as number, draw(contact, 'typed') as style
    from contacts

    union all

    -- Some have a second number, and some have one that was another's before.
    select
        contact,
        created_at,
        if(
            draw(contact, 'heir') < 0.15,
            phone_number(cast(floor(contact * draw(contact, 'heir of')) as bigint)),
            phone_number(-1 - 7 * contact)
        ) as number,
        draw(contact, 'typed otherwise') as style
    from contacts
    where draw(contact, 'second number') < 0.14

    union all

    -- On each day after the history somebody takes over a number.
    select
        cast(min(contact) + 3 as bigint) as contact,
        max(created_at) as created_at,
        phone_number(cast(floor(min(contact) * 0.995) as bigint)) as number,
        0.1 as style
    from contacts
    where created_at >= getvariable('end_at')
    group by punctual_load(created_at)

)

select
    contact_id(contact) as contact_id,
    as_typed(number, style) as phone,
    created_at as updated_at,
    false as is_deleted,
    load_of(contact, created_at) as load_no
from owned;

create temp table export_leads as
with dated as (

    select
        *,
        moment(taken_week) as taken_at,
        moment(qualified_week) as qualified_at,
        moment(deleted_week) as deleted_at,
        load_of(lead_id, created_at) as first_load,
        -- Somebody clears up a few each day after the history.
        case
            when created_at < getvariable('end_at') - interval 10 day
                then getvariable('until_at')[day_of_change(lead_id, 'cleared up', 0.00025) + 1]
                    - interval 5 hour
        end as cleared_at
    from leads

),

versions as (

    select
        *,
        unnest(loads_of(first_load, [taken_at, qualified_at, deleted_at, cleared_at])) as load_no
    from dated

),

seen as (

    select
        *,
        getvariable('until_at')[load_no + 1] as until_at
    from versions

)

select
    lead_id,
    if(draw(lead_id, 'no contact') < 0.01, null, contact_id(contact)) as contact_id,
    if(
        draw(lead_id, 'lost owner') < 0.002, 'm-9999', manager_of('lead_generator', contact, week)
    ) as manager_id,
    if(draw(lead_id, 'own source') < 0.9, source_id(contact), null) as source_id,
    created_at,
    if(
        draw(lead_id, 'clock') < 0.001, later(created_at, -3600), seen(taken_at, until_at)
    ) as taken_at,
    if(qualified_at < until_at, is_target, null) as is_target,
    seen(qualified_at, until_at) as qualified_at,
    case
        when qualified_at < until_at and not is_target
            then ['Не тот регион', 'Нет бюджета', 'Спам'][1 + cast(floor(3 * draw(lead_id, 'why')) as bigint)]
    end as rejection_reason,
    if(calls_first(contact), null, 'yandex') as utm_source,
    if(calls_first(contact), null, 'cpc') as utm_medium,
    if(calls_first(contact), null, 'campaign-' || (contact % 5 + 1)) as utm_campaign,
    greatest(
        created_at,
        seen(taken_at, until_at),
        seen(qualified_at, until_at),
        seen(deleted_at, until_at),
        seen(cleared_at, until_at)
    ) as updated_at,
    coalesce(deleted_at < until_at or cleared_at < until_at, false) as is_deleted,
    load_no
from seen
where load_no < getvariable('loads');

create temp table export_deals as
with ends as (

    select deal_id, list(moment(moved_week) order by step) as moved_at, list(stage_id order by step) as stage_ids
    from moves
    group by deal_id

),

dated as (

    select
        deals.*,
        ends.moved_at,
        ends.stage_ids,
        moment(deals.week) as created_at,
        moment(deals.deleted_week) as deleted_at,
        load_of(deals.deal_id, moment(deals.week)) as first_load
    from deals
    inner join ends on deals.deal_id = ends.deal_id

),

versions as (

    select
        *,
        unnest(loads_of(first_load, list_append(moved_at, deleted_at))) as load_no
    from dated

),

seen as (

    select
        *,
        getvariable('until_at')[load_no + 1] as until_at,
        greatest(1, len(list_filter(
            moved_at, lambda instant: instant < getvariable('until_at')[load_no + 1]
        ))) as moves_seen
    from versions
    where load_no < getvariable('loads')

)

select
    deal_id,
    lead_id,
    if(draw(deal_id, 'own contact') < 0.7 or lead_id is null, contact_id(contact), null) as contact_id,
    manager_of(job, contact, week) as manager_id,
    'p' || pipeline as pipeline_id,
    stage_ids[moves_seen] as stage_id,
    if(draw(deal_id, 'own source') < 0.3, source_id(contact), null) as source_id,
    if(draw(deal_id, 'typing error') < 0.001, -amount, amount) as amount,
    currency_of(deal_id) as currency,
    deal_type,
    created_at,
    cast(timezone('UTC', created_at) as date) + 45 as expected_close_on,
    case
        when fate != 'open' and ends_with(stage_ids[moves_seen], fate)
            and draw(deal_id, 'closing noted') < 0.85
            then moved_at[moves_seen]
    end as closed_at,
    case
        when fate = 'lost' and ends_with(stage_ids[moves_seen], 'lost')
            then ['Дорого', 'Выбрали конкурента', 'Нет бюджета', 'Пропал со связи', 'Не сейчас'][
                1 + cast(floor(5 * draw(deal_id, 'why lost')) as bigint)
            ]
    end as lost_reason,
    greatest(moved_at[moves_seen], seen(deleted_at, until_at)) as updated_at,
    coalesce(deleted_at < until_at, false) as is_deleted,
    load_no
from seen;

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

create temp table export_activities as
with dated as (

    select
        *,
        moment(week) as happened_at,
        moment(deleted_week) as deleted_at,
        load_of(number, moment(week)) as first_load
    from activities

),

versions as (

    select *, unnest(loads_of(first_load, [deleted_at])) as load_no
    from dated

)

select
    cast(500000 + number as varchar) as activity_id,
    if(draw(number, 'odd kind') < 0.005, 'note', [
        'email', 'email', 'email', 'message', 'message', 'message', 'social', 'proposal',
        'presentation', 'task'
    ][1 + cast(floor(10 * draw(number, 'kind')) as bigint)]) as kind,
    case when draw(number, 'way') < 0.7 then 'out' when draw(number, 'way') < 0.9 then 'in' end as direction,
    manager_of(if(draw(number, 'job') < 0.5, 'lead_generator', 'hunter'), contact, week) as manager_id,
    if(draw(number, 'named') < 0.8, contact_id(contact), null) as contact_id,
    if(draw(number, 'led') < 0.3, 'L' || cast(200001 + contact * 2 as varchar), null) as lead_id,
    if(draw(number, 'dealt') < 0.2, 'D' || cast(200001 + contact * 2 as varchar), null) as deal_id,
    happened_at,
    happened_at as updated_at,
    load_no > first_load as is_deleted,
    load_no
from versions;

create temp table export_payments as
select
    payment_id,
    if(draw(payment_id, 'no deal') < 0.02, null, deal_id) as deal_id,
    if(draw(payment_id, 'own contact') < 0.4, contact_id(contact), null) as contact_id,
    moment(week) as paid_at,
    cast(if(draw(payment_id, 'nothing') < 0.001, 0, amount) as decimal(18, 2)) as amount,
    currency_of(deal_id) as currency,
    kind,
    moment(week) as updated_at,
    false as is_deleted,
    load_of(payment_id, moment(week)) as load_no
from payments
where week < getvariable('weeks');

create temp table export_surveys as
select
    survey_id,
    contact_id(contact) as contact_id,
    deal_id,
    case when draw(survey_id, 'of whom') < 0.3 then manager_of('farmer', contact, week) end as manager_id,
    score,
    moment(week) as answered_at,
    moment(week) as updated_at,
    false as is_deleted,
    load_of(survey_id, moment(week)) as load_no
from surveys
where week < getvariable('weeks');
