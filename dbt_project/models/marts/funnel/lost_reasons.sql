-- Why deals were lost: one row per grain, period of closing, deal owner and reason.

with deals as (

    select * from {{ ref('fct_deals') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

grains as (
    {{ period_grains() }}

),

counts as (

    select
        grains.period_grain,
        {{ period_start('grains.period_grain', 'deals.closed_on') }} as period_start,
        deals.manager_id,
        coalesce(deals.lost_reason, 'unknown') as lost_reason,
        count(*) as deals_lost,
        cast(coalesce(sum(deals.amount), 0) as {{ type_money() }}) as lost_amount
    from deals
    cross join grains
    where deals.outcome = 'lost'
    group by 1, 2, 3, 4

),

final as (

    select
        counts.period_grain,
        counts.period_start,
        counts.manager_id,
        managers.manager_name,
        managers.team,
        counts.lost_reason,
        counts.deals_lost,
        counts.lost_amount,
        {{ ratio('counts.deals_lost', 'sum(counts.deals_lost) over (
            partition by counts.period_grain, counts.period_start, counts.manager_id
        )') }} as share
    from counts
    inner join managers
        on counts.manager_id = managers.manager_id

)

select * from final
