-- One row per local day up to the as-of date: what MetricFlow counts running totals
-- and earlier periods along. It ends there, so that no state is claimed for later days.

with days as (

    select * from {{ ref('dim_date') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

final as (

    select days.date_day
    from days
    inner join as_of
        on days.date_day <= as_of.as_of_date

)

select * from final
