-- What a manager's period is made of: the summed measures, the lead response, the
-- deal cycle and the open pipeline. One row per grain, period and manager that has a
-- measure other than 0 or an open deal.

{% set key = ['period_grain', 'period_start', 'manager_id'] %}
{{ config(materialized='touched_keys', meta={
    'key': key,
    'touched_by': [
        'int_measures__periods', 'int_periods__open_pipeline', 'int_periods__lead_response',
        'int_periods__deal_cycle',
    ],
}) }}

with measures as (

    select * from {{ ref('int_measures__periods') }}
    {{ where_touched(key | join(', ')) }}

),

open_pipeline as (

    select * from {{ ref('int_periods__open_pipeline') }}
    {{ where_touched(key | join(', ')) }}

),

lead_response as (

    select * from {{ ref('int_periods__lead_response') }}
    {{ where_touched(key | join(', ')) }}

),

deal_cycle as (

    select * from {{ ref('int_periods__deal_cycle') }}
    {{ where_touched(key | join(', ')) }}

),

totals as (

    select
        period_grain,
        period_start,
        manager_id,
        {{- summed_measures() }}
    from measures
    group by 1, 2, 3

),

cells as (

    select period_grain, period_start, manager_id
    from totals
    where {{ any_not_zero(stored_measures()) }}
    union
    select period_grain, period_start, manager_id
    from open_pipeline

),

final as (

    select
        cells.period_grain,
        cells.period_start,
        cells.manager_id,
        {%- for measure in stored_measures() %}
        coalesce(totals.{{ measure }}, 0) as {{ measure }},
        {%- endfor %}
        lead_response.leads_answered,
        lead_response.leads_answered_in_5min,
        lead_response.response_seconds,
        lead_response.median_response_minutes,
        deal_cycle.median_cycle_days,
        coalesce(open_pipeline.open_deals, 0) as open_deals,
        coalesce(open_pipeline.open_amount, 0) as open_amount,
        coalesce(open_pipeline.presale_deals, 0) as presale_deals,
        coalesce(open_pipeline.presale_amount, 0) as presale_amount
    from cells
    left join totals
        on {{ same_cell('cells', 'totals') }}
    left join lead_response
        on {{ same_cell('cells', 'lead_response') }}
    left join deal_cycle
        on {{ same_cell('cells', 'deal_cycle') }}
    left join open_pipeline
        on {{ same_cell('cells', 'open_pipeline') }}

)

select * from final
