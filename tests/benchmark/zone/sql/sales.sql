-- Contacts and what becomes of them, as they will ever be: leads, deals and their moves, meetings,
-- activities, payments, surveys. `*_week` is when; a NULL means never.

create temp table contacts as
select
    contact,
    contact_week(contact) as week,
    contact_at(contact) as created_at,
    source_id(contact) as source_id
from range(contact_at_week(getvariable('weeks'))) as numbers(contact);

create temp table leads as
with requests as (

    select contact, 1 as lead_no, week, later(created_at, 3 + 10 * draw(contact, 'lead at')) as created_at
    from contacts
    where draw(contact, 'lead') < 0.92

    union all

    select
        contact,
        2 as lead_no,
        week + 3 + 40 * draw(contact, 'returns after') as week,
        moment(week + 3 + 40 * draw(contact, 'returns after')) as created_at
    from contacts
    where draw(contact, 'returns') < 0.1

),

keyed as (

    select *, 'L' || cast(200000 + contact * 2 + lead_no as varchar) as lead_id
    from requests

),

taken as (

    select
        *,
        case when draw(lead_id, 'taken') < 0.94 then week + 0.02 * waiting(lead_id, 'taken after') end
            as taken_week
    from keyed

),

qualified as (

    select
        *,
        case
            when draw(lead_id, 'judged') < 0.85
                then taken_week + 0.01 + 0.15 * waiting(lead_id, 'judged after')
        end as qualified_week,
        draw(lead_id, 'target') < 0.65 as is_target,
        case when draw(lead_id, 'deleted') < 0.008 then week + 12 * draw(lead_id, 'deleted after') end
            as deleted_week
    from taken

)

select * from qualified where week < getvariable('weeks');

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

create temp table meetings as
with arranged as (

    select
        lead_id[2:] || '-' || no as meeting_id,
        lead_id,
        contact,
        qualified_week + 0.01 + (no - 1) * 1.5 + 0.1 * waiting(lead_id || no, 'set after') as set_week
    from leads, range(1, 3) as numbers(no)
    where is_target and qualified_week is not null
        and draw(lead_id || no, 'meeting') < if(no = 1, 0.7, 0.12)

),

planned as (

    select *, set_week + 0.15 + 0.6 * draw(meeting_id, 'days ahead') as planned_week
    from arranged

)

select
    *,
    case when draw(meeting_id, 'confirmed') < 0.8
        then set_week + (planned_week - set_week) * 0.8 * draw(meeting_id, 'confirmed at')
    end as confirmed_week,
    case when draw(meeting_id, 'held') < 0.7 then planned_week end as held_week,
    case when draw(meeting_id, 'held') >= 0.85
        then set_week + (planned_week - set_week) * draw(meeting_id, 'cancelled at')
    end as cancelled_week,
    case when draw(meeting_id, 'deleted') < 0.005 then planned_week + 4 end as deleted_week
from planned
where set_week < getvariable('weeks');

create temp table activities as
with done as (

    select
        number,
        (number + draw(number, 'activity')) / (1.5 * getvariable('contacts_a_week')) as week
    from range(
        cast(floor(1.5 * getvariable('contacts_a_week') * getvariable('weeks')) as bigint)
    ) as numbers(number)

)

select
    number,
    week,
    contact_at_week(week * (1 - 0.8 * pow(draw(number, 'to whom'), 4))) as contact,
    case when draw(number, 'deleted touch') < 0.003 then week + 5 end as deleted_week
from done;

create temp table payments as
with won as (

    select
        deals.deal_id,
        deals.contact,
        deals.amount,
        moves.moved_week as won_week,
        unnest(range(1, 2 + cast(floor(2.4 * pow(draw(deals.deal_id, 'parts'), 2)) as bigint))) as part
    from deals
    inner join moves on deals.deal_id = moves.deal_id and moves.stage = 'won'

),

paid as (

    select
        *,
        deal_id || '-' || part as payment_id,
        won_week + 0.02 + (part - 1) * 4.3 + 0.5 * waiting(deal_id || part, 'pays') as week
    from won

)

select
    payment_id, deal_id, contact, week, 'payment' as kind,
    if(part = 1, amount * 6 // 10, amount // 5) as amount
from paid
where week < getvariable('weeks')

union all

select
    payment_id || '-r' as payment_id, deal_id, contact,
    week + 1 + 3 * draw(payment_id, 'refunded after') as week, 'refund' as kind,
    amount // 10 as amount
from paid
where draw(payment_id, 'refunded') < 0.05;

create temp table surveys as
select
    'v' || payment_id as survey_id,
    deal_id,
    contact,
    week + 0.5 + waiting(payment_id, 'answers after') as week,
    if(draw(payment_id, 'score') < 0.001, 7, 1 + cast(floor(5 * sqrt(draw(payment_id, 'score'))) as bigint))
        as score
from payments
where kind = 'payment' and draw(payment_id, 'asked') < 0.35;
