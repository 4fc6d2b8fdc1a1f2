-- Returns a fact, dimension or mart whose rows are not those it is made of, with both
-- counts: a join that multiplies or drops rows shows here first.

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

)

select * from final
where rows_there != rows_expected
