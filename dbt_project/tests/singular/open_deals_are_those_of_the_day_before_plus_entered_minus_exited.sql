-- Returns a stage, manager and day with the open deals that pipeline_daily shows and
-- those that follow from the day before. A day without a row has none open.

{% set cell = ['date_day', 'pipeline_id', 'stage_id', 'manager_id'] %}

with pipeline_daily as (

    select * from {{ ref('pipeline_daily') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

-- Open deals leave a trace on the next day too, unless the calendar ends.
next_days as (

    select
        {{ add_days('pipeline_daily.date_day', 1) }} as date_day,
        pipeline_daily.pipeline_id,
        pipeline_daily.stage_id,
        pipeline_daily.manager_id,
        pipeline_daily.open_deals
    from pipeline_daily
    cross join as_of
    where pipeline_daily.open_deals != 0 and pipeline_daily.date_day < as_of.as_of_date

),

cells as (

    select {{ cell | join(', ') }} from pipeline_daily
    union
    select {{ cell | join(', ') }} from next_days

),

final as (

    select
        cells.date_day,
        cells.pipeline_id,
        cells.stage_id,
        cells.manager_id,
        coalesce(today.open_deals, 0) as open_deals,
        coalesce(day_before.open_deals, 0) + coalesce(today.entered, 0)
        - coalesce(today.exited, 0) as expected_open_deals
    from cells
    left join pipeline_daily as today
        on {{ same_cell('cells', 'today', cell) }}
    left join next_days as day_before
        on {{ same_cell('cells', 'day_before', cell) }}

)

select * from final
where open_deals != expected_open_deals
