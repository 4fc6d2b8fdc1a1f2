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
