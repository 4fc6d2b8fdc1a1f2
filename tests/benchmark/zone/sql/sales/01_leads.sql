-- Contacts and what becomes of them, as they will ever be: leads, deals and their moves, meetings,
-- activities, payments, surveys. `*_week` is when; a NULL means never.

create temp table contacts as
select
    contact,
    contact_week(contact) as week,
    contact_at(contact) as created_at,
    source_id(contact) as source_id
from range(contact_at_week(getvariable('weeks'))) as numbers(contact);

create temp table leads as
with requests as (

    select contact, 1 as lead_no, week, later(created_at, 3 + 10 * draw(contact, 'lead at')) as created_at
    from contacts
    where draw(contact, 'lead') < 0.92

    union all

    select
        contact,
        2 as lead_no,
        week + 3 + 40 * draw(contact, 'returns after') as week,
        moment(week + 3 + 40 * draw(contact, 'returns after')) as created_at
    from contacts
    where draw(contact, 'returns') < 0.1

),

keyed as (

    select *, 'L' || cast(200000 + contact * 2 + lead_no as varchar) as lead_id
    from requests

),

taken as (

    select
        *,
        case when draw(lead_id, 'taken') < 0.94 then week + 0.02 * waiting(lead_id, 'taken after') end
            as taken_week
    from keyed

),

qualified as (

    select
        *,
        case
            when draw(lead_id, 'judged') < 0.85
                then taken_week + 0.01 + 0.15 * waiting(lead_id, 'judged after')
        end as qualified_week,
        draw(lead_id, 'target') < 0.65 as is_target,
        case when draw(lead_id, 'deleted') < 0.008 then week + 12 * draw(lead_id, 'deleted after') end
            as deleted_week
    from taken

)

select * from qualified where week < getvariable('weeks');
