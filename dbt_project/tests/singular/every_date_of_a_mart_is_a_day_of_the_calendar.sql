-- Returns a date by which a table is charted and that the calendar lacks: a join with
-- dim_date would lose its rows.

{% set dated = [
    ('kpi_daily', 'date_day'), ('kpi_manager_period', 'period_start'),
    ('kpi_company_period', 'period_start'), ('kpi_source_period', 'period_start'),
    ('kpi_lead_generator_period', 'period_start'), ('lost_reasons', 'period_start'),
    ('kpi_diagnostics', 'period_start'), ('quota_attainment', 'period_start'),
    ('funnel_conversion', 'cohort_month'), ('customer_cohorts', 'cohort_month'),
    ('customer_cohorts', 'month_start'), ('customer_value', 'first_paid_on'),
    ('speed_to_lead', 'month_start'), ('open_deals', 'entered_on'),
    ('pipeline_daily', 'date_day'), ('unpriced_daily', 'date_day'),
    ('missed_call_recovery', 'date_day'), ('calls_by_hour', 'date_day'),
    ('call_waiting', 'date_day'), ('fct_leads', 'judged_on'), ('fct_deals', 'closed_on'),
    ('fct_meetings', 'held_on'), ('fct_stage_entries', 'exited_on'),
    ('fct_sales_costs', 'month'), ('fct_ad_spend', 'spend_date'),
] %}

with days as (

    select date_day from {{ ref('dim_date') }}

),

dates as (

    {% for model, column in dated %}
    select distinct
        '{{ model }}.{{ column }}' as date_column,
        {{ column }} as date_day
    from {{ ref(model) }}
    where {{ column }} is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

quality as (

    select distinct
        'data_quality_daily.date_day' as date_column,
        date_day
    from {{ ref('data_quality_daily') }}
    where
        date_day is not null
        and table_name not in ('telephony.extensions', 'finance.exchange_rates')

),

all_dates as (

    select * from dates
    union all
    select * from quality

),

final as (

    select
        all_dates.date_column,
        all_dates.date_day
    from all_dates
    left join days
        on all_dates.date_day = days.date_day
    where days.date_day is null

)

select * from final
