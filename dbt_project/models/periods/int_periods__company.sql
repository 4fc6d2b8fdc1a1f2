-- What a company's period is made of: the summed measures, the lead response, the
-- deal cycle, the open pipeline, costs and conversations.

with measures as (

    select * from {{ ref('int_measures__periods') }}

),

lead_response as (

    select * from {{ ref('int_periods__lead_response') }}

),

deal_cycle as (

    select * from {{ ref('int_periods__deal_cycle') }}

),

open_pipeline as (

    select * from {{ ref('int_periods__open_pipeline') }}

),

periods as (

    select * from {{ ref('int_periods__company_periods') }}

),

costs as (

    select * from {{ ref('int_periods__costs') }}

),

sessions as (

    select * from {{ ref('int_periods__sessions') }}

),

totals as (

    select
        period_grain,
        period_start,
        {{- summed_measures() }}
    from measures
    group by 1, 2

),

open_totals as (

    select
        period_grain,
        period_start,
        cast(sum(open_deals) as bigint) as open_deals,
        cast(sum(open_amount) as {{ type_money() }}) as open_amount,
        cast(sum(presale_deals) as bigint) as presale_deals,
        cast(sum(presale_amount) as {{ type_money() }}) as presale_amount
    from open_pipeline
    group by 1, 2

),

final as (

    select
        periods.period_grain,
        periods.period_start,
        {%- for measure in stored_measures() %}
        coalesce(totals.{{ measure }}, 0) as {{ measure }},
        {%- endfor %}
        lead_response.leads_answered,
        lead_response.leads_answered_in_5min,
        lead_response.response_seconds,
        lead_response.median_response_minutes,
        deal_cycle.median_cycle_days,
        {%- for measure in ['open_deals', 'open_amount', 'presale_deals', 'presale_amount'] %}
        coalesce(open_totals.{{ measure }}, 0) as {{ measure }},
        {%- endfor %}
        coalesce(costs.ad_spend, 0) as ad_spend,
        case
            when periods.period_grain not in ('day', 'week') then coalesce(costs.sales_cost, 0)
        end as sales_cost,
        coalesce(sessions.sessions, 0) as sessions,
        coalesce(sessions.recovered_by_agent, 0) as recovered_by_agent,
        coalesce(sessions.recovered_by_client, 0) as recovered_by_client,
        coalesce(sessions.missed_calls_lost, 0) as missed_calls_lost
    from periods
    left join totals
        on {{ same_cell('periods', 'totals', ['period_grain', 'period_start']) }}
    left join lead_response
        on
            {{ same_cell('periods', 'lead_response', ['period_grain', 'period_start']) }}
            and lead_response.manager_id is null
    left join deal_cycle
        on
            {{ same_cell('periods', 'deal_cycle', ['period_grain', 'period_start']) }}
            and deal_cycle.manager_id is null
    left join open_totals
        on {{ same_cell('periods', 'open_totals', ['period_grain', 'period_start']) }}
    left join costs
        on {{ same_cell('periods', 'costs', ['period_grain', 'period_start']) }}
    left join sessions
        on {{ same_cell('periods', 'sessions', ['period_grain', 'period_start']) }}

)

select * from final
