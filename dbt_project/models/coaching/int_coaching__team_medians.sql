-- What is usual in a team, the managers of one role: one row per month, role and rate that
-- at least one of them has, with the median of those who have it.

with rates as (

    select * from {{ ref('int_coaching__rates') }}

),

final as (

    select
        period_start,
        team_role,
        metric,
        {{ median_of('value') }} as team_median,
        count(*) as team_managers
    from rates
    where value is not null
    group by 1, 2, 3

)

select * from final
