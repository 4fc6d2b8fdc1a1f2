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
