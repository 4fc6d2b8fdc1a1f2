-- One row per period and manager in one of the three situations that ask for a
-- diagnosis. A figure held when it did not fall and is above 0.

with figures as (

    select * from {{ ref('int_diagnosis__figures') }}

),

final as (

    select period_grain, period_start, manager_id, 'meetings_without_payments' as situation
    from figures
    where
        not {{ fell('set_meetings_held') }}
        and set_meetings_held > 0
        and ({{ fell('set_meetings_paid') }} or set_meetings_paid = 0)

    union all

    select period_grain, period_start, manager_id, 'meetings_not_held' as situation
    from figures
    where
        not {{ fell('meetings_set') }}
        and meetings_set > 0
        and {{ fell('set_meetings_held') }}

    union all

    select period_grain, period_start, manager_id, 'few_meetings_set' as situation
    from figures
    where {{ fell('meetings_set') }}

)

select * from final
