-- One row per stay in a won or lost stage: how the deal ended, at which age, and until when
-- it was so.

with stays as (

    select * from {{ ref('int_outlook__stays') }}

),

final as (

    select
        deal_id,
        entry_no,
        pipeline_id,
        stage_kind as outcome,
        from_on as closed_on,
        until_on as reopened_on,
        {{ days_between('created_on', 'from_on') }} as age_days
    from stays
    where stage_kind in ('won', 'lost')

)

select * from final
