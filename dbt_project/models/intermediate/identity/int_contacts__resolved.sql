-- One row per existing contact, with the source it came from (NULL: none found).

{{ config(materialized='tracked_table') }}

with contacts as (

    select * from {{ ref('stg_crm__contacts') }}

),

sources as (

    select * from {{ ref('stg_crm__sources') }}

),

final as (

    select
        contacts.contact_id,
        contacts.name as contact_name,
        contacts.company,
        contacts.email,
        contacts.created_at,
        {{ found('sources.source_id') }} as source_id
    from contacts
    left join sources
        on contacts.source_id = sources.source_id
    where contacts.contact_id != 'unknown'

)

select * from final
