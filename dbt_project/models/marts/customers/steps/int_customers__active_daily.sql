-- One row per day of the calendar: how many customers are active on it.

with spans as (

    select * from {{ ref('fct_customer_spans') }}

),

days as (

    select * from {{ ref('dim_date') }}

),

changes as (

    select active_from as date_day, 1 as change from spans
    union all
    select active_until as date_day, -1 as change from spans

),

daily_changes as (

    select
        date_day,
        sum(change) as change
    from changes
    group by 1

),

final as (

    select
        days.date_day,
        cast(sum(coalesce(daily_changes.change, 0)) over (
            order by days.date_day
            rows between unbounded preceding and current row
        ) as bigint) as active_customers
    from days
    left join daily_changes
        on days.date_day = daily_changes.date_day

)

select * from final
