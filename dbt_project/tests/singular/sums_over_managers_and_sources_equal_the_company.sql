-- Returns a mart, period and additive column whose sum over managers and sources is
-- not the company's figure, with both. A period without rows sums to 0. Deals may be open
-- before the first period that the company has: nothing is counted or paid for there.

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
        {% if column in open_metrics() -%}
        coalesce(if(company.period_start is null, totals.{{ column }}, company.{{ column }}), 0)
        {%- else -%}
        coalesce(company.{{ column }}, 0)
        {%- endif %} as company_{{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from kpi_company_period as company
    full outer join {{ mart }}_totals as totals
        on {{ same_cell('company', 'totals', ['period_grain', 'period_start']) }}

),

{{ mart }}_names as (

    {%- for column in columns %}
    select '{{ column }}' as column_name
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}

),

{% endfor -%}
-- Counts and money agree exactly. Quotients are DOUBLE, so the sum depends on the
-- order of its parts in the last digits: they may differ by a billionth.
final as (

    {% for mart, columns in marts.items() %}
    select
        '{{ mart }}' as mart,
        names.column_name,
        compared.period_grain,
        compared.period_start,
        case names.column_name
            {%- for column in columns %}
            when '{{ column }}' then cast(compared.{{ column }} as string)
            {%- endfor %}
        end as sum_over_members,
        case names.column_name
            {%- for column in columns %}
            when '{{ column }}' then cast(compared.company_{{ column }} as string)
            {%- endfor %}
        end as company
    from {{ mart }}_compared as compared
    cross join {{ mart }}_names as names
    where
        case names.column_name
            {%- for column in columns %}
            {%- set ours, companys = 'compared.' ~ column, 'compared.company_' ~ column %}
            {%- if column in ['cycle_days_won', 'talk_minutes'] %}
            when '{{ column }}' then abs({{ ours }} - {{ companys }})
                > 1e-9 * greatest(abs({{ ours }}), abs({{ companys }}), 1)
            {%- else %}
            when '{{ column }}' then {{ ours }} != {{ companys }}
            {%- endif %}
            {%- endfor %}
        end
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select * from final
