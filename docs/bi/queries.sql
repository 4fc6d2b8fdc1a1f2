-- Twelve questions of a sales dashboard, in SQL that DuckDB and Postgres both read. The tests run
-- them through every client and compare the figures; start your own charts from them.
-- Each begins with a line `-- name:`; sums of whole numbers are cast, as engines widen them
-- differently.

-- name: headline figures by month
select
    period_start, revenue, deals_won, new_customers, meetings_held, calls, win_rate, avg_deal_size
from marts.kpi_company_period
where period_grain = 'month'
order by period_start;

-- name: scorecard of managers
select
    manager_id, manager_name, team, revenue, deals_won, win_rate, talk_minutes, call_to_meeting_rate
from marts.kpi_manager_period
where period_grain = 'quarter' and period_start = date '2026-07-01'
order by manager_id;

-- name: what sources cost and bring
select
    source_id, source_name, channel,
    cast(sum(leads_created) as bigint) as leads_created,
    cast(sum(leads_target) as bigint) as leads_target,
    cast(sum(new_customers) as bigint) as new_customers,
    sum(revenue) as revenue,
    sum(ad_spend) as ad_spend
from marts.kpi_source_period
where period_grain = 'month' and period_start >= date '2026-01-01'
group by source_id, source_name, channel
order by source_id;

-- name: funnel by stage
select
    pipeline_name, stage_no, stage_name,
    cast(sum(entered) as bigint) as entered,
    cast(sum(reached) as bigint) as reached,
    cast(sum(lost_here) as bigint) as lost_here
from marts.funnel_conversion
group by pipeline_name, stage_no, stage_name
order by pipeline_name, stage_no, stage_name;

-- name: plan and fact
select manager_name, metric, period_start, target, actual, attainment, pace
from marts.quota_attainment
where period = 'month' and period_start >= date '2026-06-01'
order by manager_name, metric, period_start;

-- name: why deals are lost
select
    lost_reason,
    cast(sum(deals_lost) as bigint) as deals_lost,
    sum(lost_amount) as lost_amount
from marts.lost_reasons
where period_grain = 'month'
group by lost_reason
order by sum(deals_lost) desc, lost_reason;

-- name: missed calls by hour
select
    hour_of_day,
    cast(sum(missed_calls) as bigint) as missed_calls,
    cast(sum(recovered_by_agent) as bigint) as recovered_by_agent,
    cast(sum(recovery_seconds) as bigint) as recovery_seconds
from marts.missed_call_recovery
group by hour_of_day
order by hour_of_day;

-- name: open pipeline at the ends of months
select
    p.date_day, p.stage_name,
    cast(sum(p.open_deals) as bigint) as open_deals,
    sum(p.open_amount) as open_amount
from marts.pipeline_daily as p
inner join marts.dim_date as d on p.date_day = d.date_day
where d.date_day = d.month_start
group by p.date_day, p.stage_name
order by p.date_day, p.stage_name;

-- name: retention of cohorts
select cohort_month, months_since, customers, active, active_share, cumulative_revenue
from marts.customer_cohorts
where months_since <= 6
order by cohort_month, months_since;

-- name: causes of falls
select period_start, manager_name, situation, check_no, metric, ratio, advice_ru
from marts.kpi_diagnostics
where period_grain = 'month' and verdict = 'cause'
order by period_start, manager_name, situation, check_no;

-- name: best customers
select v.contact_id, c.contact_name, v.source_name, v.revenue, v.payments, v.last_paid_on
from marts.customer_value as v
inner join marts.dim_contact as c on v.contact_id = c.contact_id
where v.is_active
order by v.revenue desc, v.contact_id
limit 20;

-- name: talk time of teams by month
select
    d.month_start, k.team,
    cast(sum(k.talk_seconds) as bigint) as talk_seconds,
    cast(sum(case when k.is_meaningful then 1 else 0 end) as bigint) as conversations
from marts.fct_calls as k
inner join marts.dim_date as d on k.session_started_on = d.date_day
group by d.month_start, k.team
order by d.month_start, k.team;
