-- What the CRM exports of it: a version of a row for each load in which it changed. Columns of the
-- zone, and `load_no`.

-- The loads in which something happened to a row, the first of them given.
create macro loads_of(first_load, instants) as list_distinct(list_concat(
    [first_load],
    list_transform(
        list_filter(instants, lambda instant: instant is not null),
        lambda instant: greatest(first_load, punctual_load(instant))
    )
));
create macro seen(instant, until_at) as case when instant < until_at then instant end;
-- Rows come again although nothing in them changed: 1 % a load later.
create macro repeated_loads(key, first_load) as case
    when draw(key, 'comes again') < 0.01 and first_load < getvariable('last_month')
        then [first_load, first_load + 1]
    else list_filter(
        [first_load, day_of_change(key, 'seen again', 0.00002)],
        lambda load_no: load_no is not null
            and (load_no = first_load or first_load <= getvariable('last_month'))
    )
end;

create temp table export_contacts as
with versions as (

    select
        *,
        load_of(contact, created_at) as first_load,
        unnest(repeated_loads(contact, load_of(contact, created_at))) as load_no
    from contacts

)

select
    contact_id(contact) as contact_id,
    'Контакт ' || contact as name,
    case when draw(contact, 'company') < 0.7
        then 'ООО «Фирма ' || cast(floor(contact * 0.8) as bigint) || '»'
    end as company,
    case
        when load_no > first_load then 'new' || contact || '@client.example'
        when draw(contact, 'mail') < 0.6 then 'c' || contact || '@client.example'
    end as email,
    created_at,
    if(draw(contact, 'has source') < 0.93, source_id, null) as source_id,
    if(load_no > first_load, getvariable('until_at')[load_no + 1] - interval 5 hour, created_at)
        as updated_at,
    false as is_deleted,
    load_no
from versions;

create temp table export_contact_phones as
with owned as (

    select contact, created_at, phone_number(contact) as number, draw(contact, 'typed') as style
    from contacts

    union all

    -- Some have a second number, and some have one that was another's before.
    select
        contact,
        created_at,
        if(
            draw(contact, 'heir') < 0.15,
            phone_number(cast(floor(contact * draw(contact, 'heir of')) as bigint)),
            phone_number(-1 - 7 * contact)
        ) as number,
        draw(contact, 'typed otherwise') as style
    from contacts
    where draw(contact, 'second number') < 0.14

    union all

    -- On each day after the history somebody takes over a number.
    select
        cast(min(contact) + 3 as bigint) as contact,
        max(created_at) as created_at,
        phone_number(cast(floor(min(contact) * 0.995) as bigint)) as number,
        0.1 as style
    from contacts
    where created_at >= getvariable('end_at')
    group by punctual_load(created_at)

)

select
    contact_id(contact) as contact_id,
    as_typed(number, style) as phone,
    created_at as updated_at,
    false as is_deleted,
    load_of(contact, created_at) as load_no
from owned;
