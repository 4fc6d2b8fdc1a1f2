-- One row per grain, period and source with anything to count or to pay for.

{% set measures = ['leads_created', 'leads_target', 'leads_non_target', 'meetings_set',
    'set_meetings_held', 'deals_created', 'deals_won', 'new_customers', 'revenue'] %}
{% set advertising = ['ad_spend', 'impressions', 'clicks'] %}

with periods as (

    select * from {{ ref('int_measures__periods') }}

),

advertising as (

    select * from {{ ref('int_periods__advertising') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

totals as (

    select
        period_grain,
        period_start,
        source_id,
        {%- for measure in measures %}
        {{ summed(measure) }} as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from periods
    group by 1, 2, 3

),

cells as (

    select period_grain, period_start, source_id from totals
    where {{ any_not_zero(measures) }}
    union
    select period_grain, period_start, source_id from advertising
    where {{ any_not_zero(advertising) }}

),

figures as (

    select
        cells.period_grain,
        cells.period_start,
        cells.source_id,
        sources.source_name,
        sources.channel,
        {%- for measure in measures %}
        coalesce(totals.{{ measure }}, 0) as {{ measure }},
        {%- endfor %}
        {%- for measure in advertising %}
        coalesce(advertising.{{ measure }}, 0) as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from cells
    inner join sources
        on cells.source_id = sources.source_id
    left join totals
        on {{ same_cell('cells', 'totals', ['period_grain', 'period_start', 'source_id']) }}
    left join advertising
        on {{ same_cell('cells', 'advertising', ['period_grain', 'period_start', 'source_id']) }}

),

final as (

    select
        *,
        {{ figure('target_lead_rate') }} as target_lead_rate,
        {{ figure('lead_conversion_rate') }} as lead_conversion_rate,
        {{ figure('cpl') }} as cpl,
        {{ figure('cost_per_target_lead') }} as cost_per_target_lead,
        {{ figure('source_cac') }} as source_cac,
        {{ figure('romi') }} as romi
    from figures

)

select * from final
