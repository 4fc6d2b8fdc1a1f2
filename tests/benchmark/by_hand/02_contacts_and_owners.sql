-- Contacts, leads, deals, each with what the next one needs of it.
create temp table contacts as
select contacts.contact_id, contacts.created_at, sources.source_id
from current_rows('/crm/contacts/*.parquet', contact_id) as contacts
left join sources on contacts.source_id = sources.source_id
where contacts.is_deleted is not true;

create temp table owners as
with phones as (

    select contact_id, phone
    from read_parquet(getvariable('raw') || '/crm/contact_phones/*.parquet')
    qualify row_number() over (
        partition by contact_id, phone order by updated_at desc nulls last, _loaded_at desc
    ) = 1 and is_deleted is not true

),

first_owners as (

    select
        e164(phones.phone) as phone_number,
        contacts.created_at,
        min(contacts.contact_id) as contact_id
    from phones
    inner join contacts on phones.contact_id = contacts.contact_id
    group by all

)

select
    phone_number,
    contact_id,
    if(
        lag(created_at) over in_time is null, timestamptz '0001-01-01 00:00:00+00', created_at
    ) as owned_from,
    lead(created_at, 1, timestamptz '9999-12-31 00:00:00+00') over in_time as owned_until
from first_owners
where phone_number is not null
window in_time as (partition by phone_number order by created_at);
