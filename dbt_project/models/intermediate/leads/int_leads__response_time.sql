-- One row per lead that was answered: how long it waited, by the clock and in
-- working time. Working time up to an instant is that of all days before plus what
-- has passed of the day's opening hours; a wait is the difference of two.

with first_responses as (

    select * from {{ ref('int_leads__first_response') }}

),

calendar_days as (

    select * from {{ ref('int_calendar__days') }}

),

final as (

    select
        first_responses.lead_id,
        first_responses.first_response_at,
        {{ seconds_between('first_responses.created_at', 'first_responses.first_response_at') }}
            as response_seconds,
        case
            when first_responses.first_response_at <= first_responses.created_at then 0
            else {{ working_seconds_between(
                'first_responses.created_at', 'created_days',
                'first_responses.first_response_at', 'response_days'
            ) }}
        end as response_working_seconds
    from first_responses
    inner join calendar_days as created_days
        on {{ local_date('first_responses.created_at') }} = created_days.date_day
    inner join calendar_days as response_days
        on {{ local_date('first_responses.first_response_at') }} = response_days.date_day

)

select * from final
