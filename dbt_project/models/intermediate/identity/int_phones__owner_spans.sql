-- One row per phone number and stretch of time in which one contact owns it. The
-- owner at a time is the contact created last before it; before the first of them
-- the earliest; of contacts created at the same instant, the smallest key.

{{ config(materialized='tracked_table') }}

with contact_phones as (

    select * from {{ ref('stg_crm__contact_phones') }}

),

contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

owners as (

    select
        {{ text_as_phone_number('contact_phones.phone') }} as phone_number,
        contacts.created_at,
        min(contacts.contact_id) as contact_id
    from contact_phones
    inner join contacts
        on contact_phones.contact_id = contacts.contact_id
    group by 1, 2

),

final as (

    select
        phone_number,
        contact_id,
        case
            when lag(created_at) over (partition by phone_number order by created_at) is null
                then {{ utc_instant('0001-01-01 00:00:00') }}
            else created_at
        end as owned_from,
        coalesce(
            lead(created_at) over (partition by phone_number order by created_at),
            {{ utc_instant('9999-12-31 00:00:00') }}
        ) as owned_until
    from owners
    where phone_number is not null

)

select * from final
