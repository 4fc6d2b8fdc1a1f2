-- One row per existing contact, and one for the unknown.

with contacts as (

    select * from {{ ref('int_contacts__resolved') }}

),

members as (

    select
        contact_id,
        {{ display_text('contact_name') }} as contact_name,
        {{ display_text('company') }} as company,
        {{ display_text('email') }} as email,
        created_at,
        coalesce(source_id, 'unknown') as source_id
    from contacts

),

unknown_member as (

    select
        'unknown' as contact_id,
        'Unknown' as contact_name,
        {{ null_text() }} as company,
        {{ null_text() }} as email,
        cast(null as {{ type_instant() }}) as created_at,
        'unknown' as source_id

),

final as (

    select * from members
    union all
    select * from unknown_member

)

select * from final
