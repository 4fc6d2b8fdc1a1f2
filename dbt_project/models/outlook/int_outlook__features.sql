-- One row per observation of an open deal: what a model may know of the deal on that day.

with observations as (

    select * from {{ ref('int_outlook__observations') }}

),

recent_touches as (

    select * from {{ ref('int_outlook__recent_touches') }}

),

stages as (

    select * from {{ ref('int_stages__ordered') }}

),

stays as (

    select * from {{ ref('int_outlook__stays') }}

),

steps_back as (

    select
        deal_id,
        entry_no,
        sum(case when movement in ('back', 'reopen') then 1 else 0 end) over (
            partition by deal_id order by entry_no
            rows between unbounded preceding and current row
        ) as moves_back
    from stays

),

final as (

    select
        observations.*,
        stages.stage_no,
        cast(coalesce(steps_back.moves_back, 0) as bigint) as moves_back,
        {%- for name in outlook_touches().keys() | list + ['talk_seconds'] %}
        recent_touches.{{ name }},
        recent_touches.{{ name }}_30d{{ ',' if not loop.last }}
        {%- endfor %}
    from observations
    inner join recent_touches
        on
            observations.deal_id = recent_touches.deal_id
            and observations.observed_on = recent_touches.observed_on
    left join stages
        on observations.stage_id = stages.stage_id
    left join steps_back
        on
            observations.deal_id = steps_back.deal_id
            and observations.entry_no = steps_back.entry_no

)

select * from final
