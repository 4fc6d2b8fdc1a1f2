-- Returns a fact, dimension or mart whose rows (or what they count) are not those it is
-- made of, with both counts: a join that multiplies or drops rows shows here first.

with final as (

    {% for model, staging in [
        ('fct_leads', 'stg_crm__leads'),
        ('fct_deals', 'stg_crm__deals'),
        ('fct_meetings', 'stg_crm__meetings'),
        ('fct_payments', 'stg_crm__payments'),
        ('fct_activities', 'stg_crm__activities'),
    ] %}
    select
        '{{ model }}' as model,
        (select count(*) from {{ ref(model) }}) as rows_there,
        (select count(*) from {{ ref(staging) }}) as rows_expected
    union all
    {% endfor %}

    {% for member in ['manager', 'source', 'pipeline', 'stage', 'contact'] %}
    {%- set key = member ~ '_id' %}
    select
        'dim_{{ member }}' as model,
        (select count(*) from {{ ref('dim_' ~ member) }}) as rows_there,
        (
            select count(*) + 1 from {{ ref('stg_crm__' ~ member ~ 's') }}
            where {{ key }} != 'unknown'
        ) as rows_expected
    union all
    {% endfor %}

    select
        'fct_call_sessions' as model,
        (select count(*) from {{ ref('fct_call_sessions') }}) as rows_there,
        (
            select count(distinct coalesce(linked_id, call_id))
            from {{ ref('stg_telephony__calls') }}
            where direction != 'internal'
        ) as rows_expected

    union all

    -- A call without a manager counts as one of the unknown manager's.
    select
        'fct_calls' as model,
        (select count(distinct session_id) from {{ ref('fct_calls') }}) as rows_there,
        (select count(*) from {{ ref('fct_call_sessions') }}) as rows_expected

    union all

    select
        'quota_attainment' as model,
        (select count(*) from {{ ref('quota_attainment') }}) as rows_there,
        (
            select count(*) from {{ ref('stg_crm__quotas') }} as quotas
            inner join {{ ref('stg_crm__managers') }} as managers
                on quotas.manager_id = managers.manager_id
        ) as rows_expected

    union all

    select
        'speed_to_lead' as model,
        (select coalesce(sum(leads_created), 0) from {{ ref('speed_to_lead') }}) as rows_there,
        (select count(*) from {{ ref('fct_leads') }}) as rows_expected

    union all

    select
        'missed_call_recovery' as model,
        (
            select coalesce(sum(missed_calls), 0) from {{ ref('missed_call_recovery') }}
        ) as rows_there,
        (
            select count(*) from {{ ref('fct_call_sessions') }}
            where direction = 'in' and not is_answered
        ) as rows_expected

    union all

    select
        'pipeline_daily' as model,
        (select coalesce(sum(entered), 0) from {{ ref('pipeline_daily') }}) as rows_there,
        (
            select count(*) from {{ ref('fct_stage_entries') }} as stays
            inner join {{ ref('dim_stage') }} as stages
                on stays.stage_id = stages.stage_id
            cross join {{ ref('int_refresh__as_of') }} as as_of
            where stages.kind in ('open', 'presale') and stays.entered_on <= as_of.as_of_date
        ) as rows_expected

    union all

    -- A closed deal ends in one stage, where its pipeline has any to reach.
    select
        'funnel_conversion' as model,
        (
            select coalesce(sum(lost_here + won_here), 0) from {{ ref('funnel_conversion') }}
        ) as rows_there,
        (
            select count(*) from {{ ref('fct_deals') }}
            where
                outcome in ('lost', 'won')
                and pipeline_id in (
                    select pipeline_id from {{ ref('dim_stage') }}
                    where kind != 'lost' and stage_no is not null
                )
        ) as rows_expected

    {% for grain in ['day', 'week', 'month', 'quarter', 'year'] %}
    union all

    select
        'lost_reasons by {{ grain }}' as model,
        (
            select coalesce(sum(deals_lost), 0) from {{ ref('lost_reasons') }}
            where period_grain = '{{ grain }}'
        ) as rows_there,
        (
            select count(*) from {{ ref('fct_deals') }}
            where outcome = 'lost'
        ) as rows_expected

    union all

    select
        'kpi_company_period by {{ grain }}, sessions' as model,
        (
            select coalesce(sum(sessions), 0) from {{ ref('kpi_company_period') }}
            where period_grain = '{{ grain }}'
        ) as rows_there,
        (select count(*) from {{ ref('fct_call_sessions') }}) as rows_expected
    {% endfor %}

)

select * from final
where rows_there != rows_expected
