-- Returns a mart, period and additive column whose sum over managers and sources is
-- not the company's figure, with both. A period without rows sums to 0.

{% set marts = {
    'kpi_daily': daily_measures(),
    'kpi_manager_period': additive_metrics() + open_metrics(),
    'kpi_source_period': ['leads_created', 'leads_target', 'leads_non_target',
        'meetings_set', 'set_meetings_held', 'deals_created', 'deals_won',
        'new_customers', 'revenue', 'ad_spend'],
    'kpi_lead_generator_period': ['calls_60s', 'talk_minutes', 'leads_taken',
        'leads_target', 'leads_non_target', 'meetings_set', 'meetings_confirmed',
        'set_meetings_held', 'set_meetings_paid'],
} %}

with kpi_company_period as (

    select * from {{ ref('kpi_company_period') }}

),

{% for mart in marts if mart != 'kpi_daily' %}
{{ mart }} as (

    select * from {{ ref(mart) }}

),

{% endfor -%}
grains as (
    {{ period_grains() }}

),

kpi_daily as (

    select
        days.*,
        grains.period_grain,
        {{ period_start('grains.period_grain', 'days.date_day') }} as period_start
    from {{ ref('kpi_daily') }} as days
    cross join grains

),

{% for mart, columns in marts.items() %}
{{ mart }}_totals as (

    select
        period_grain,
        period_start,
        {%- for column in columns %}
        sum({{ column }}) as {{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ mart }}
    group by 1, 2

),

{{ mart }}_compared as (

    select
        coalesce(company.period_grain, totals.period_grain) as period_grain,
        coalesce(company.period_start, totals.period_start) as period_start,
        {%- for column in columns %}
        coalesce(totals.{{ column }}, 0) as {{ column }},
        coalesce(company.{{ column }}, 0) as company_{{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from kpi_company_period as company
    full outer join {{ mart }}_totals as totals
        on {{ same_cell('company', 'totals', ['period_grain', 'period_start']) }}

),

{% endfor -%}
-- Counts and money agree exactly. Quotients are DOUBLE, so the sum depends on the
-- order of its parts in the last digits: they may differ by a billionth.
final as (

    {% for mart, columns in marts.items() %}
    {%- set last_mart = loop.last %}
    {%- for column in columns %}
    select
        '{{ mart }}' as mart,
        '{{ column }}' as column_name,
        period_grain,
        period_start,
        cast({{ column }} as {{ dbt.type_string() }}) as sum_over_members,
        cast(company_{{ column }} as {{ dbt.type_string() }}) as company
    from {{ mart }}_compared
    {%- if column in ['cycle_days_won', 'talk_minutes'] %}
    where abs({{ column }} - company_{{ column }})
        > 1e-9 * greatest(abs({{ column }}), abs(company_{{ column }}), 1)
    {%- else %}
    where {{ column }} != company_{{ column }}
    {%- endif %}
    {% if not (loop.last and last_mart) %}union all{% endif %}
    {%- endfor %}
    {%- endfor %}

)

select * from final
