create temp table deals as
with sold as (

    select
        'D' || lead_id[2:] as deal_id,
        contact,
        lead_id,
        qualified_week + 0.02 + 0.3 * waiting(lead_id, 'deal after') as week,
        'hunter' as job,
        'new' as deal_type,
        1 as pipeline
    from leads
    where is_target and draw(lead_id, 'deal') < 0.52

    union all

    select
        'R' || cast(200000 + contact as varchar) as deal_id,
        contact,
        null as lead_id,
        week + 8 + 45 * draw(contact, 'repeats after') as week,
        'farmer' as job,
        if(draw(contact, 'upsell') < 0.4, 'upsell', 'repeat') as deal_type,
        2 as pipeline
    from contacts
    where draw(contact, 'repeats') < 0.055

)

select
    *,
    case
        when draw(deal_id, 'fate') < if(pipeline = 1, 0.28, 0.6) then 'won'
        when draw(deal_id, 'fate') < 0.9 then 'lost'
        else 'open'
    end as fate,
    case
        when draw(deal_id, 'fate') < if(pipeline = 1, 0.28, 0.6) then if(pipeline = 1, 6, 3)
        else 1 + cast(floor(draw(deal_id, 'reach') * if(pipeline = 1, 5, 3)) as bigint)
    end as reach,
    cast(1000 * ceil(
        if(pipeline = 1, 30, 18) * exp(1.1 * (draw(deal_id, 'size') + draw(deal_id, 'luck')))
    ) as decimal(18, 2)) as amount,
    case when draw(deal_id, 'deleted') < 0.006 then week + 20 * draw(deal_id, 'deleted after') end
        as deleted_week
from sold
where week < getvariable('weeks');

-- Open stages one after the other, some skipped, a few twice; then won or lost.
create temp table moves as
with steps as (

    select *, unnest(range(1, reach + 1 + if(fate = 'open', 0, 1))) as step
    from deals

),

kept as (

    select * from steps
    where step = 1 or step > reach or draw(deal_id || step, 'skipped') >= 0.08

),

timed as (

    select
        deal_id,
        contact,
        job,
        step,
        pipeline,
        week + coalesce(sum(0.05 + 0.45 * waiting(deal_id || step, 'stay')) over (
            partition by deal_id order by step
            rows between unbounded preceding and 1 preceding
        ), 0) as moved_week,
        case
            when step <= reach then cast(step as varchar)
            else fate
        end as stage
    from kept

)

select
    *,
    'p' || pipeline || '-' || stage as stage_id
from timed
where moved_week < getvariable('weeks');
