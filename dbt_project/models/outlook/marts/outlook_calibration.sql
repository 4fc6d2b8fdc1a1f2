-- One row per pipeline, method and tenth of probability: what was predicted at month ends of
-- deals that have closed since, and how many of them were won.

with judged as (

    select * from {{ source('outlook', 'judged') }}

),

predictions as (

    {%- for method in ['model', 'stage_rate', 'company_rate'] %}
    select
        pipeline_id,
        '{{ method }}' as method,
        deal_id,
        {{ method }} as probability,
        is_won
    from judged
    where {{ method }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

final as (

    select
        pipeline_id,
        method,
        cast(least(floor(probability * 10), 9) + 1 as integer) as tenth,
        count(*) as predictions,
        count(distinct deal_id) as deals,
        {{ rounded('avg(probability)', 6) }} as predicted,
        {{ rounded('avg(is_won)', 6) }} as observed
    from predictions
    group by 1, 2, 3

)

select * from final
