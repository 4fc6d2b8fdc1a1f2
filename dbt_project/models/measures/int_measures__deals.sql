-- Daily deal measures, credited to the deal's owner: created on one date, closed on
-- another.

{{ config(materialized='tracked_table') }}

with deals as (

    select * from {{ ref('fct_deals') }}

),

dated as (

    select
        created_on as date_day,
        manager_id,
        source_id,
        'created' as what,
        deal_type,
        null as amount,
        null as cycle_microseconds
    from deals

    union all

    select
        closed_on as date_day,
        manager_id,
        source_id,
        outcome as what,
        deal_type,
        amount,
        cycle_microseconds
    from deals
    where outcome in ('won', 'lost')

),

final as (

    select
        date_day,
        manager_id,
        source_id,
        count(*) filter (where what = 'created') as deals_created,
        count(*) filter (where what = 'won') as deals_won,
        count(*) filter (where what = 'lost') as deals_lost,
        count(*) filter (where what = 'won' and deal_type = 'upsell') as upsells_won,
        cast(coalesce(sum(amount) filter (where what = 'won'), 0) as {{ type_money() }})
            as won_amount,
        cast(coalesce(sum(cycle_microseconds), 0) as bigint) as cycle_microseconds_won
    from dated
    group by 1, 2, 3

)

select * from final
