-- Where deals stand on the as-of date: one row per deal that is open then.

{% set bands = [0, 7, 14, 30, 60] %}

with stays as (

    select * from {{ ref('fct_stage_entries') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

stages as (

    select * from {{ ref('dim_stage') }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

open_stays as (

    select
        stays.*,
        {{ days_between('stays.entered_on', 'as_of.as_of_date') }} as days_in_stage
    from stays
    inner join as_of
        on
            stays.entered_on <= as_of.as_of_date
            and (stays.exited_on is null or stays.exited_on > as_of.as_of_date)
    where stays.stage_kind in ('open', 'presale')

),

final as (

    select
        open_stays.deal_id,
        open_stays.pipeline_id,
        stages.pipeline_name,
        open_stays.stage_id,
        stages.stage_name,
        stages.stage_no,
        open_stays.stage_kind,
        open_stays.manager_id,
        managers.manager_name,
        managers.team,
        open_stays.source_id,
        deals.contact_id,
        deals.deal_type,
        open_stays.amount,
        deals.created_on,
        deals.expected_close_on,
        open_stays.entered_on,
        open_stays.is_entry_uncertain,
        open_stays.days_in_stage,
        case
            {%- for from_days in bands | reverse %}
            when open_stays.days_in_stage >= {{ from_days }} then {{ from_days }}
            {%- endfor %}
        end as age_from_days,
        case
            {%- for from_days in bands[1:] %}
            when open_stays.days_in_stage < {{ from_days }} then {{ from_days - 1 }}
            {%- endfor %}
        end as age_to_days
    from open_stays
    inner join deals
        on open_stays.deal_id = deals.deal_id
    inner join stages
        on open_stays.stage_id = stages.stage_id
    inner join managers
        on open_stays.manager_id = managers.manager_id

)

select * from final
