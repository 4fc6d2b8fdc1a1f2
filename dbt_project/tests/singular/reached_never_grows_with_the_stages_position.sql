-- Returns a stage that more deals of a cohort, manager and source reached than the
-- stage before it in the pipeline. A stage without a row was reached by none.

with funnel as (

    select * from {{ ref('funnel_conversion') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

cohorts as (

    select distinct
        cohort_month,
        pipeline_id,
        manager_id,
        source_id
    from funnel

),

reached_in_order as (

    select
        cohorts.cohort_month,
        cohorts.pipeline_id,
        cohorts.manager_id,
        cohorts.source_id,
        stages.stage_id,
        coalesce(funnel.reached, 0) as reached,
        lag(coalesce(funnel.reached, 0)) over (
            partition by
                cohorts.cohort_month,
                cohorts.pipeline_id,
                cohorts.manager_id,
                cohorts.source_id
            order by stages.stage_no
        ) as reached_stage_before
    from cohorts
    inner join stages
        on cohorts.pipeline_id = stages.pipeline_id
    left join funnel
        on
            {{ same_cell('cohorts', 'funnel', ['cohort_month', 'manager_id', 'source_id']) }}
            and stages.stage_id = funnel.stage_id
    where stages.kind != 'lost' and stages.stage_no is not null

)

select * from reached_in_order
where reached > reached_stage_before
