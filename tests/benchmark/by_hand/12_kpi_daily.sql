-- All families side by side.
create table kpi_daily as
with joined as (

    select *
    from daily_calls
    full join daily_leads using (date_day, manager_id, source_id)
    full join daily_activities using (date_day, manager_id, source_id)
    full join daily_meetings using (date_day, manager_id, source_id)
    full join daily_new_deals using (date_day, manager_id, source_id)
    full join daily_closed_deals using (date_day, manager_id, source_id)
    full join daily_payments using (date_day, manager_id, source_id)
    full join daily_surveys using (date_day, manager_id, source_id)
    full join daily_evaluations using (date_day, manager_id, source_id)

)

select
    date_day,
    manager_id,
    source_id,
    coalesce(columns(* exclude (date_day, manager_id, source_id, cycle_microseconds)), 0),
    coalesce(cycle_microseconds, 0) / 86400000000.0 as cycle_days_won
from joined;
