create temp view daily_new_deals as
select created_on as date_day, manager_id, source_id, count(*) as deals_created
from fct_deals
group by all;

create temp view daily_closed_deals as
select
    closed_on as date_day,
    manager_id,
    source_id,
    count(*) filter (where outcome = 'won') as deals_won,
    count(*) filter (where outcome = 'lost') as deals_lost,
    count(*) filter (where outcome = 'won' and deal_type = 'upsell') as upsells_won,
    sum(amount) filter (where outcome = 'won') as won_amount,
    sum(cycle_microseconds) as cycle_microseconds
from fct_deals
where outcome != 'open'
group by all;

create temp view daily_payments as
select
    paid_on as date_day,
    manager_id,
    source_id,
    sum(amount) as revenue,
    -sum(amount) filter (where kind = 'refund') as refunds,
    sum(amount) filter (where coalesce(deal_type, 'new') = 'new') as revenue_new,
    sum(amount) filter (where deal_type in ('repeat', 'upsell')) as revenue_repeat,
    count(*) filter (where is_first_of_contact) as new_customers
from fct_payments
group by all
having bool_or(amount != 0 or is_first_of_contact);

create temp view daily_surveys as
select
    answered_on as date_day,
    manager_id,
    source_id,
    count(*) as surveys,
    count(*) filter (where score >= 4) as surveys_positive,
    sum(score) as survey_score
from fct_surveys
group by all;

create temp view daily_evaluations as
select
    credited_on as date_day,
    manager_id,
    source_id,
    count(*) as evaluated_calls,
    sum(score) as evaluation_score,
    count(*) filter (where needs_found) as needs_found,
    count(*) filter (where presentation_made) as presentations_made,
    count(*) filter (where objections_handled) as objections_handled,
    count(*) filter (where next_step_agreed) as next_steps_agreed
from fct_call_evaluations
group by all;
