-- One row per quota of an existing manager: what was reached, and what should have
-- been by now.

with quotas as (

    select * from {{ ref('stg_crm__quotas') }}

),

raw_managers as (

    select * from {{ ref('stg_crm__managers') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

actuals as (

    select * from {{ ref('int_plans__actuals') }}

),

pacing as (

    select * from {{ ref('int_plans__working_time') }}

),

figures as (

    select
        quotas.manager_id,
        managers.manager_name,
        managers.team,
        quotas.metric,
        quotas.period,
        quotas.period_start,
        quotas.target,
        actuals.actual,
        actuals.actual_to_date,
        case
            when quotas.metric in ('{{ additive_metrics() | join("', '") }}') -- noqa: LT05
                then quotas.target * {{ ratio('pacing.elapsed_seconds', 'pacing.working_seconds') }}
            else quotas.target
        end as target_to_date
    from quotas
    inner join raw_managers
        on quotas.manager_id = raw_managers.manager_id
    inner join managers
        on quotas.manager_id = managers.manager_id
    inner join actuals
        on {{ same_cell('quotas', 'actuals', ['manager_id', 'metric', 'period', 'period_start']) }}
    inner join pacing
        on {{ same_cell('quotas', 'pacing', ['period', 'period_start']) }}

),

final as (

    select
        manager_id,
        manager_name,
        team,
        metric,
        period,
        period_start,
        target,
        actual,
        {{ figure('attainment') }} as attainment,
        target_to_date,
        actual_to_date,
        {{ figure('pace') }} as pace
    from figures

)

select * from final
