-- The open pipeline day by day: one row per local day up to the as-of date, stage, deal
-- owner and source with an open deal at its end, or a deal that came or went; and one of
-- the unknown members for every day, so that no day is missing.

{{ config(materialized='touched_keys', meta={
    'key': 'date_day',
    'touched_by': {
        'int_refresh__as_of': 'select date_day from dim_date where date_day between
            (select min(as_of_date) from changes) and (select max(as_of_date) from changes)',
        'int_pipeline__balances': days_of_changed_balances(),
        'dim_manager': rows_of_members('this', ['date_day'], 'manager_id'),
        'dim_source': rows_of_members('this', ['date_day'], 'source_id'),
    },
}) }}

with balances as (

    select * from {{ ref('int_pipeline__balances') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

calendar_days as (

    select * from {{ ref('dim_date') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

known_days as (

    select calendar_days.date_day
    from calendar_days
    inner join as_of
        on calendar_days.date_day <= as_of.as_of_date

),

days as (

    select * from known_days
    {{ where_touched('date_day') }}

),

cells as (

    select
        days.date_day,
        balances.stage_id,
        balances.manager_id,
        balances.source_id,
        balances.open_deals,
        balances.open_amount,
        balances.open_deals_without_amount,
        case when days.date_day = balances.moved_on then balances.entered else 0 end as entered,
        case when days.date_day = balances.moved_on then balances.exited else 0 end as exited
    from balances
    inner join days
        on
            days.date_day >= balances.moved_on
            and days.date_day < coalesce(balances.next_moved_on, date '9999-12-31')
            and (balances.open_deals != 0 or days.date_day = balances.moved_on)

    union all

    select
        date_day,
        'unknown' as stage_id,
        'unknown' as manager_id,
        'unknown' as source_id,
        0 as open_deals,
        0 as open_amount,
        0 as open_deals_without_amount,
        0 as entered,
        0 as exited
    from days

),

keyed as (

    select
        date_day,
        stage_id,
        manager_id,
        source_id,
        cast(sum(open_deals) as bigint) as open_deals,
        cast(sum(open_amount) as {{ type_money() }}) as open_amount,
        cast(sum(open_deals_without_amount) as bigint) as open_deals_without_amount,
        cast(sum(entered) as bigint) as entered,
        cast(sum(exited) as bigint) as exited
    from cells
    group by 1, 2, 3, 4

),

final as (

    select
        keyed.*,
        stages.pipeline_id,
        stages.pipeline_name,
        stages.stage_name,
        stages.kind as stage_kind,
        manager_names.manager_name,
        manager_names.team,
        source_names.source_name
    from keyed
    inner join stages
        on keyed.stage_id = stages.stage_id
    left join manager_names
        on keyed.manager_id = manager_names.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
