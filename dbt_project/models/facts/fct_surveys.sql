-- One row per existing survey answer, with the manager it speaks of (its own, else
-- the deal's owner) and the source (the deal's, else the contact's: its own, else
-- the deal's).

with surveys as (

    select * from {{ ref('stg_crm__surveys') }}

),

deals as (

    select * from {{ ref('int_deals__resolved') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

managers as (

    select * from {{ ref('stg_crm__managers') }}

),

manager_names as (

    select * from {{ ref('dim_manager') }}

),

source_names as (

    select * from {{ ref('dim_source') }}

),

keyed as (

    select
        surveys.survey_id,
        deals.deal_id,
        coalesce(contacts.contact_id, deals.contact_id, 'unknown') as contact_id,
        coalesce({{ found('managers.manager_id') }}, deals.manager_id, 'unknown') as manager_id,
        coalesce(deals.source_id, contacts.source_id, 'unknown') as source_id,
        surveys.score,
        surveys.answered_at,
        {{ local_date('surveys.answered_at') }} as answered_on
    from surveys
    left join deals
        on surveys.deal_id = deals.deal_id
    left join contacts
        on surveys.contact_id = contacts.contact_id
    left join managers
        on surveys.manager_id = managers.manager_id

),

final as (

    select
        keyed.*,
        manager_names.manager_name,
        manager_names.team,
        source_names.source_name
    from keyed
    left join manager_names
        on keyed.manager_id = manager_names.manager_id
    left join source_names
        on keyed.source_id = source_names.source_id

)

select * from final
