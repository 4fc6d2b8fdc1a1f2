-- How many customers are active on a day: one row per local day up to the as-of date and
-- source of customers.

with spans as (

    select * from {{ ref('fct_customer_spans') }}

),

days as (

    select * from {{ ref('dim_date') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

changes as (

    select source_id, active_from as date_day, 1 as change from spans
    union all
    select source_id, active_until as date_day, -1 as change from spans

),

daily_changes as (

    select
        source_id,
        date_day,
        sum(change) as change
    from changes
    group by 1, 2

),

sources as (

    select distinct source_id from spans

),

keyed as (

    select
        days.date_day,
        sources.source_id,
        cast(sum(coalesce(daily_changes.change, 0)) over (
            partition by sources.source_id
            order by days.date_day
            rows between unbounded preceding and current row
        ) as bigint) as active_customers
    from days
    inner join as_of
        on days.date_day <= as_of.as_of_date
    cross join sources
    left join daily_changes
        on
            days.date_day = daily_changes.date_day
            and sources.source_id = daily_changes.source_id

),

final as (

    select
        keyed.*,
        source_names.source_name
    from keyed
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
