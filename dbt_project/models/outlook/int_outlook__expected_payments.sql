-- One row per forecast point and manager: money that is expected of deals that are there; a
-- deal without an amount adds nothing.
-- `expected_open` is NULL for the day where nothing is known of when any deal will be won.
-- What a won deal owes falls due the median lag after winning; what is overdue is
-- expected on the next day, and after thirty days not any more.

with points as (

    select * from {{ ref('int_outlook__forecast_points') }}

),

to_pay as (

    select * from {{ ref('int_outlook__deals_to_pay') }}

),

scores as (

    select * from {{ source('outlook', 'scores') }}

),

observations as (

    select * from {{ ref('int_outlook__observations') }}

),

stale_ages as (

    select * from {{ ref('int_outlook__stale_ages') }}

),

lags as (

    select * from {{ ref('int_outlook__payment_lags') }}

),

live as (

    select
        to_pay.observed_on,
        to_pay.manager_id,
        to_pay.unpaid_amount,
        scores.paid_in_0,
        scores.paid_in_1,
        scores.paid_in_2
    from to_pay
    inner join scores
        on
            to_pay.observed_on = scores.observed_on
            and to_pay.deal_id = scores.deal_id
    inner join observations
        on
            to_pay.observed_on = observations.observed_on
            and to_pay.deal_id = observations.deal_id
    left join stale_ages
        on
            observations.observed_on = stale_ages.observed_on
            and observations.pipeline_id = stale_ages.pipeline_id
    where
        to_pay.outcome = 'open'
        and not coalesce(observations.age_days > stale_ages.stale_after_days, false)

),

of_open as (

    select
        points.as_of_on,
        points.period_start,
        live.manager_id,
        -- Exact decimals: a sum that ends in half a cent is rounded alike in any order. Both sides
        -- of the product have 38 digits together: beyond that engines drop the last ones.
        cast(coalesce(sum(
            cast(live.unpaid_amount as decimal(28, 2))
            * cast(case points.months_ahead
                when 0 then live.paid_in_0
                when 1 then live.paid_in_1
                else live.paid_in_2
            end as decimal(9, 6))
        ), 0) as {{ type_money() }}) as expected_open,
        cast(0 as {{ type_money() }}) as expected_won_unpaid
    from points
    inner join live
        on points.as_of_on = live.observed_on
    group by 1, 2, 3

),

of_won as (

    select
        points.as_of_on,
        points.period_start,
        to_pay.manager_id,
        cast(0 as {{ type_money() }}) as expected_open,
        coalesce(sum(to_pay.unpaid_amount), 0) as expected_won_unpaid
    from points
    inner join lags
        on points.as_of_on = lags.observed_on
    inner join to_pay
        on points.as_of_on = to_pay.observed_on
    where
        to_pay.outcome = 'won'
        and points.period_start = {{ period_start("'month'", 'greatest(' ~ add_days(
            'to_pay.closed_on', 'lags.lag_days'
        ) ~ ', ' ~ add_days('points.as_of_on', 1) ~ ')') }}
    group by 1, 2, 3

),

unknown_days as (

    select observed_on
    from live
    group by 1
    having count(paid_in_0) = 0

),

final as (

    select
        expected.as_of_on,
        expected.period_start,
        expected.manager_id,
        case when max(unknown_days.observed_on) is null then sum(expected.expected_open) end
            as expected_open,
        sum(expected.expected_won_unpaid) as expected_won_unpaid
    from (
        select * from of_open
        union all
        select * from of_won
    ) as expected
    left join unknown_days
        on expected.as_of_on = unknown_days.observed_on
    group by 1, 2, 3

)

select * from final
