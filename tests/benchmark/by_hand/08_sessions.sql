-- Calls. Few legs ever come again: only their keys are looked up, no leg is sorted. What is large
-- lies in the file, where it is compressed: temporary tables are not, and fill the memory.
create temp macro kept_calls() as table
    select *
    from read_parquet(getvariable('raw') || '/telephony/calls/*.parquet')
    where
        is_deleted
        or (
            direction in ('in', 'out', 'internal')
            and disposition in ('answered', 'no_answer', 'busy', 'failed', 'voicemail')
            and coalesce(talk_seconds >= 0, true)
            and coalesce(ended_at >= started_at, true)
            and coalesce(answered_at >= started_at, true)
        );

create table repeated as
select call_id, max(_loaded_at) as last_loaded_at
from kept_calls()
group by call_id
having count(*) > 1;

create table legs as
select
    calls.call_id,
    coalesce(calls.linked_id, calls.call_id) as session_id,
    calls.direction,
    if(calls.direction = 'in', calls.from_number, calls.to_number) as number,
    calls.extension is not null as has_extension,
    coalesce(holders.manager_id, 'unknown') as manager_id,
    calls.started_at,
    calls.disposition = 'answered' as is_answered,
    coalesce(
        calls.talk_seconds, greatest(date_sub('second', calls.answered_at, calls.ended_at), 0), 0
    ) as talk_seconds
from kept_calls() as calls
left join repeated on calls.call_id = repeated.call_id
left join holders
    on
        calls.extension = holders.extension
        and calls.started_at >= holders.held_from
        and calls.started_at < holders.held_until
where
    coalesce(calls._loaded_at = repeated.last_loaded_at, true)
    and calls.direction != 'internal'
    and calls.is_deleted is not true;

create table sessions as
select
    session_id,
    bool_or(has_extension) as has_extension,
    if(
        bool_or(has_extension), bool_or(is_answered and has_extension), bool_or(is_answered)
    ) as is_answered,
    min(started_at) as started_at,
    arg_min(
        {'direction': direction, 'number': number}, {'at': started_at, 'id': call_id}
    ) as first_leg
from legs
group by session_id;

-- Few numbers are typed in few ways: each is read once.
create temp table number_owners as
with numbers as (

    select distinct first_leg.number as number from sessions

)

select numbers.number, owners.contact_id, owners.owned_from, owners.owned_until
from numbers
inner join owners on e164(numbers.number) = owners.phone_number;

create table identified as
select
    sessions.session_id,
    sessions.first_leg.direction as direction,
    sessions.started_at,
    local_date(sessions.started_at) as started_on,
    sessions.is_answered,
    sessions.has_extension,
    number_owners.contact_id,
    coalesce(contact_leads.source_id, contacts.source_id, 'unknown') as source_id
from sessions
left join number_owners
    on
        sessions.first_leg.number = number_owners.number
        and sessions.started_at >= number_owners.owned_from
        and sessions.started_at < number_owners.owned_until
left join contacts on number_owners.contact_id = contacts.contact_id
left join contact_leads
    on
        number_owners.contact_id = contact_leads.contact_id
        and sessions.started_at >= contact_leads.matches_from
        and sessions.started_at < contact_leads.matches_until;

create table fct_call_sessions as
select
    *,
    session_id in (
        select arg_min(session_id, {'at': started_at, 'id': session_id})
        from identified
        where contact_id is not null
        group by contact_id
    ) as is_first_contact
from identified;
