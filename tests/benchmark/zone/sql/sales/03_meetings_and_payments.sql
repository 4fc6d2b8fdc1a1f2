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
