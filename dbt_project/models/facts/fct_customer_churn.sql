-- One row per grain, period and customer who left in it: active on the day before the
-- period, not active on its last day (the as-of date where it still runs).

with spans as (

    select * from {{ ref('fct_customer_spans') }}

),

snapshot_days as (

    select * from {{ ref('int_calendar__snapshot_days') }}

),

ended as (

    select
        snapshot_days.period_grain,
        snapshot_days.period_start,
        snapshot_days.snapshot_on,
        spans.contact_id
    from spans
    inner join snapshot_days
        on
            spans.active_until between snapshot_days.period_start and snapshot_days.snapshot_on
            and spans.active_from < snapshot_days.period_start

),

final as (

    select
        ended.period_grain,
        ended.period_start,
        ended.contact_id
    from ended
    left join spans as returned
        on
            ended.contact_id = returned.contact_id
            and ended.snapshot_on >= returned.active_from
            and ended.snapshot_on < returned.active_until
    where returned.contact_id is null

)

select * from final
