-- Why a manager's results fell: one row per week or month, manager, situation and
-- check, in the order in which to look.

with situations as (

    select * from {{ ref('int_diagnosis__situations') }}

),

checks as (

    select * from {{ ref('diagnostic_checks') }}

),

evidence as (

    select * from {{ ref('int_diagnosis__evidence') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

final as (

    select
        situations.period_grain,
        situations.period_start,
        situations.manager_id,
        managers.manager_name,
        managers.team,
        situations.situation,
        checks.check_no,
        evidence.metric,
        evidence.current_value,
        evidence.previous_value,
        {{ ratio('evidence.current_value', 'evidence.previous_value') }} as ratio,
        case
            when not evidence.has_data then 'no_data'
            when evidence.holds then 'cause'
            else 'ok'
        end as verdict,
        checks.advice_ru,
        checks.advice_en
    from situations
    inner join checks
        on situations.situation = checks.situation
    inner join evidence
        on
            {{ same_cell('situations', 'evidence') }}
            and checks.metric = evidence.check_metric
    inner join managers
        on situations.manager_id = managers.manager_id

)

select * from final
