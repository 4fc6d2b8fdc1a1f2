-- The engine's limit: kpi_daily and the facts it needs, as one who knows the contract, DuckDB and
-- these files would write them by hand, and nothing else. No trimming, no texts that read as
-- numbers, no reasons for a quarantine, no report, no test, no other mart; raw values have the
-- contract's types. The variables `raw` (the zone) and the contract's defaults are all it knows.
-- The benchmark runs it with the threads and the memory of the refresh, and compares kpi_daily.

create temp macro current_rows(path, key) as table
    select * from read_parquet(getvariable('raw') || path)
    qualify row_number() over (
        partition by key order by updated_at desc nulls last, _loaded_at desc
    ) = 1;
create temp macro local_date(instant) as cast(instant at time zone 'Europe/Moscow' as date);
create temp macro base_amount(amount, rate) as
    try_cast(round(cast(amount as decimal(38, 4)) * rate, 2) as decimal(18, 2));
create temp macro e164(typed) as list_transform(
    [regexp_replace(
        regexp_replace(lower(typed), '(?s)^([^0-9]*[0-9].*?)(доб|ext|x|[,;#]).*$', '\1'),
        '[^0-9]', '', 'g'
    )],
    lambda digits: case
        when length(digits) not between 7 and 20 then null
        when regexp_matches(typed, '^[^0-9]*[+]') then '+' || digits
        when digits like '810%' then '+' || digits[4:]
        when digits like '00%' then '+' || digits[3:]
        when digits like '8%' and length(digits) = 11 then '+7' || digits[2:]
        when length(digits) = 10 and digits[1] in ('9', '8', '4', '3') then '+7' || digits
        when length(digits) between 11 and 15 then '+' || digits
        else digits
    end
)[1];

-- Members.
create temp table managers as
select distinct manager_id
from read_parquet(getvariable('raw') || '/crm/managers/*.parquet')
where full_name is not null and (dismissed_on >= hired_on or dismissed_on is null or hired_on is null);

create temp table sources as
select distinct source_id
from read_parquet(getvariable('raw') || '/crm/sources/*.parquet')
where name is not null;

create temp table stages as
select stage_id, kind
from read_parquet(getvariable('raw') || '/crm/stages/*.parquet')
where kind in ('open', 'presale', 'won', 'lost')
qualify row_number() over (partition by stage_id order by _loaded_at desc) = 1;

create temp table rates as
with current_rates as (

    select rate_date, currency, cast(rate as decimal(18, 8)) as rate
    from read_parquet(getvariable('raw') || '/finance/exchange_rates/*.parquet')
    where rate > 0 and currency != 'RUB'
    qualify row_number() over (partition by rate_date, currency order by _loaded_at desc) = 1

)

select
    currency,
    rate,
    rate_date as holds_from,
    lead(rate_date, 1, date '9999-12-31') over (
        partition by currency order by rate_date
    ) as holds_until
from current_rates
union all
select 'RUB', 1, date '0001-01-01', date '9999-12-31';

create temp table holders as
select
    extensions.extension,
    managers.manager_id,
    extensions.valid_from as held_from,
    least(
        coalesce(extensions.valid_to, timestamptz '9999-12-31 00:00:00+00'),
        lead(extensions.valid_from, 1, timestamptz '9999-12-31 00:00:00+00') over (
            partition by extensions.extension order by extensions.valid_from
        )
    ) as held_until
from (
    select * from read_parquet(getvariable('raw') || '/telephony/extensions/*.parquet')
    where valid_to > valid_from or valid_to is null
    qualify row_number() over (partition by extension, valid_from order by _loaded_at desc) = 1
) as extensions
left join managers on extensions.manager_id = managers.manager_id;

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

create table fct_leads as
with current_leads as (

    select *
    from read_parquet(getvariable('raw') || '/crm/leads/*.parquet')
    where
        is_deleted
        or (coalesce(taken_at >= created_at, true) and coalesce(qualified_at >= created_at, true))
    qualify row_number() over (
        partition by lead_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

)

select
    leads.lead_id,
    contacts.contact_id,
    coalesce(managers.manager_id, 'unknown') as manager_id,
    coalesce(sources.source_id, contacts.source_id) as source_id,
    leads.created_at,
    leads.taken_at,
    leads.qualified_at,
    leads.is_target
from current_leads as leads
left join contacts on leads.contact_id = contacts.contact_id
left join managers on leads.manager_id = managers.manager_id
left join sources on leads.source_id = sources.source_id
where leads.is_deleted is not true;

create temp table contact_leads as
select
    contact_id,
    lead_id,
    source_id,
    created_at - interval 300 second as matches_from,
    lead(created_at - interval 300 second, 1, timestamptz '9999-12-31 00:00:00+00') over (
        partition by contact_id order by created_at
    ) as matches_until
from (
    select * from fct_leads
    where contact_id is not null
    qualify row_number() over (partition by contact_id, created_at order by lead_id) = 1
);

create temp table deals as
with current_deals as (

    select *
    from read_parquet(getvariable('raw') || '/crm/deals/*.parquet')
    where
        is_deleted
        or (coalesce(amount >= 0, true) and coalesce(closed_at >= created_at, true))
    qualify row_number() over (
        partition by deal_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

),

with_contact as (

    select
        deals.*,
        leads.lead_id as found_lead_id,
        leads.source_id as lead_source_id,
        leads.created_at as lead_created_at,
        coalesce(own_contacts.contact_id, leads.contact_id) as found_contact_id,
        coalesce(own_contacts.source_id, lead_contacts.source_id) as contact_source_id
    from current_deals as deals
    left join fct_leads as leads on deals.lead_id = leads.lead_id
    left join contacts as own_contacts on deals.contact_id = own_contacts.contact_id
    left join contacts as lead_contacts on leads.contact_id = lead_contacts.contact_id
    where deals.is_deleted is not true

)

select
    with_contact.deal_id,
    with_contact.found_lead_id as lead_id,
    with_contact.lead_created_at,
    with_contact.found_contact_id as contact_id,
    managers.manager_id,
    coalesce(
        sources.source_id, with_contact.lead_source_id, with_contact.contact_source_id
    ) as source_id,
    stages.stage_id,
    stages.kind,
    with_contact.amount,
    coalesce(with_contact.currency, 'RUB') as currency,
    with_contact.deal_type,
    with_contact.created_at,
    with_contact.closed_at,
    with_contact.updated_at
from with_contact
left join managers on with_contact.manager_id = managers.manager_id
left join sources on with_contact.source_id = sources.source_id
left join stages on with_contact.stage_id = stages.stage_id;

create table fct_deals as
with last_entries as (

    -- Only closed deals without a time of their own ask their history.
    select history.deal_id, max(history.entered_at) as entered_at
    from current_rows('/crm/deal_stage_history/*.parquet', event_id) as history
    inner join deals
        on history.deal_id = deals.deal_id and history.stage_id = deals.stage_id
    where
        history.is_deleted is not true
        and deals.kind in ('won', 'lost')
        and deals.closed_at is null
    group by history.deal_id

),

closed as (

    select
        deals.* exclude (closed_at),
        if(deals.kind in ('won', 'lost'), deals.kind, 'open') as outcome,
        case
            when deals.kind in ('won', 'lost')
                then coalesce(
                    deals.closed_at, last_entries.entered_at, deals.updated_at, deals.created_at
                )
        end as closed_at
    from deals
    left join last_entries on deals.deal_id = last_entries.deal_id

)

select
    closed.deal_id,
    coalesce(closed.manager_id, 'unknown') as manager_id,
    coalesce(closed.source_id, 'unknown') as source_id,
    closed.deal_type,
    closed.outcome,
    local_date(closed.created_at) as created_on,
    local_date(closed.closed_at) as closed_on,
    if(
        closed.outcome = 'won',
        date_sub('microsecond', coalesce(closed.lead_created_at, closed.created_at), closed.closed_at),
        null
    ) as cycle_microseconds,
    base_amount(closed.amount, rates.rate) as amount
from closed
left join rates
    on
        closed.currency = rates.currency
        and local_date(coalesce(closed.closed_at, closed.created_at)) >= rates.holds_from
        and local_date(coalesce(closed.closed_at, closed.created_at)) < rates.holds_until;

create table fct_payments as
with current_payments as (

    select *
    from read_parquet(getvariable('raw') || '/crm/payments/*.parquet')
    where is_deleted or (amount > 0 and kind in ('payment', 'refund'))
    qualify row_number() over (
        partition by payment_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

),

resolved as (

    select
        payments.payment_id,
        deals.deal_id,
        coalesce(contacts.contact_id, deals.contact_id) as contact_id,
        deals.manager_id,
        coalesce(deals.source_id, contacts.source_id) as source_id,
        deals.deal_type,
        payments.kind,
        payments.paid_at,
        local_date(payments.paid_at) as paid_on,
        if(payments.kind = 'refund', -payments.amount, payments.amount) as amount,
        coalesce(payments.currency, 'RUB') as currency
    from current_payments as payments
    left join deals on payments.deal_id = deals.deal_id
    left join contacts on payments.contact_id = contacts.contact_id
    where payments.is_deleted is not true

)

select
    resolved.payment_id,
    resolved.deal_id,
    coalesce(resolved.manager_id, 'unknown') as manager_id,
    coalesce(resolved.source_id, 'unknown') as source_id,
    resolved.deal_type,
    resolved.kind,
    resolved.paid_at,
    resolved.paid_on,
    base_amount(resolved.amount, rates.rate) as amount,
    resolved.contact_id is not null
    and resolved.kind = 'payment'
    and row_number() over (
        partition by resolved.contact_id, resolved.kind
        order by resolved.paid_at, resolved.payment_id
    ) = 1 as is_first_of_contact
from resolved
left join rates
    on
        resolved.currency = rates.currency
        and resolved.paid_on >= rates.holds_from
        and resolved.paid_on < rates.holds_until;

create table fct_meetings as
with current_meetings as (

    select *
    from read_parquet(getvariable('raw') || '/crm/meetings/*.parquet')
    where
        is_deleted
        or (coalesce(confirmed_at >= set_at, true) and coalesce(held_at >= set_at, true))
    qualify row_number() over (
        partition by meeting_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

),

first_deals as (

    select lead_id, arg_min(deal_id, (created_at, deal_id)) as deal_id
    from deals
    where lead_id is not null
    group by lead_id

),

with_deal as (

    select
        meetings.*,
        leads.contact_id as lead_contact_id,
        leads.source_id as lead_source_id,
        coalesce(own_deals.deal_id, first_deals.deal_id) as found_deal_id
    from current_meetings as meetings
    left join fct_leads as leads on meetings.lead_id = leads.lead_id
    left join deals as own_deals on meetings.deal_id = own_deals.deal_id
    left join first_deals on leads.lead_id = first_deals.lead_id
    where meetings.is_deleted is not true

),

resolved as (

    select
        with_deal.meeting_id,
        with_deal.found_deal_id as deal_id,
        coalesce(setters.manager_id, 'unknown') as set_by,
        coalesce(holders.manager_id, 'unknown') as held_by,
        coalesce(
            with_deal.lead_source_id, deals.source_id, contacts.source_id, 'unknown'
        ) as source_id,
        coalesce(with_deal.kind, 'meeting') as kind,
        with_deal.set_at,
        with_deal.confirmed_at,
        with_deal.held_at
    from with_deal
    left join deals on with_deal.found_deal_id = deals.deal_id
    left join contacts as own_contacts on with_deal.contact_id = own_contacts.contact_id
    left join contacts
        on coalesce(own_contacts.contact_id, deals.contact_id, with_deal.lead_contact_id)
            = contacts.contact_id
    left join managers as setters on with_deal.set_by = setters.manager_id
    left join managers as holders on with_deal.held_by = holders.manager_id

),

first_payments as (

    select deal_id, min(paid_at) as first_paid_at
    from fct_payments
    where kind = 'payment' and deal_id is not null
    group by deal_id

),

paid as (

    select resolved.meeting_id, first_payments.first_paid_at
    from first_payments
    inner join resolved
        on
            first_payments.deal_id = resolved.deal_id
            and first_payments.first_paid_at >= resolved.held_at
    qualify row_number() over (
        partition by first_payments.deal_id
        order by resolved.held_at desc, resolved.meeting_id asc
    ) = 1

)

select resolved.*, paid.first_paid_at
from resolved
left join paid on resolved.meeting_id = paid.meeting_id;

create table fct_activities as
with current_activities as (

    select *
    from current_rows('/crm/activities/*.parquet', activity_id)
    where is_deleted is not true

),

with_lead as (

    select
        activities.happened_at,
        activities.kind,
        activities.direction,
        managers.manager_id,
        deals.source_id as deal_source_id,
        coalesce(leads.source_id, deal_leads.source_id) as lead_source_id,
        coalesce(contacts.contact_id, deals.contact_id) as person_id,
        case
            when coalesce(leads.lead_id, deals.lead_id) is null
                then coalesce(contacts.contact_id, deals.contact_id)
        end as person_without_lead,
        leads.contact_id as lead_contact_id
    from current_activities as activities
    left join fct_leads as leads on activities.lead_id = leads.lead_id
    left join deals on activities.deal_id = deals.deal_id
    left join fct_leads as deal_leads
        on if(leads.lead_id is null, deals.lead_id, null) = deal_leads.lead_id
    left join contacts on activities.contact_id = contacts.contact_id
    left join managers on activities.manager_id = managers.manager_id

)

select
    local_date(with_lead.happened_at) as happened_on,
    coalesce(with_lead.manager_id, 'unknown') as manager_id,
    coalesce(
        with_lead.lead_source_id, contact_leads.source_id, with_lead.deal_source_id,
        contacts.source_id, 'unknown'
    ) as source_id,
    with_lead.kind,
    with_lead.direction
from with_lead
left join contact_leads
    on
        with_lead.person_without_lead = contact_leads.contact_id
        and with_lead.happened_at >= contact_leads.matches_from
        and with_lead.happened_at < contact_leads.matches_until
left join contacts
    on coalesce(with_lead.person_id, with_lead.lead_contact_id) = contacts.contact_id;

create table fct_surveys as
with current_surveys as (

    select *
    from read_parquet(getvariable('raw') || '/crm/surveys/*.parquet')
    where is_deleted or score between 1 and 5
    qualify row_number() over (
        partition by survey_id order by updated_at desc nulls last, _loaded_at desc
    ) = 1

)

select
    coalesce(managers.manager_id, deals.manager_id, 'unknown') as manager_id,
    coalesce(deals.source_id, contacts.source_id, 'unknown') as source_id,
    surveys.score,
    local_date(surveys.answered_at) as answered_on
from current_surveys as surveys
left join deals on surveys.deal_id = deals.deal_id
left join contacts on surveys.contact_id = contacts.contact_id
left join managers on surveys.manager_id = managers.manager_id
where surveys.is_deleted is not true;

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

-- Who talked, and of sessions that nobody answered whoever the first leg rang.
create table fct_calls as
with bare_sessions as (

    select session_id from sessions where is_answered and not has_extension

),

missed_sessions as (

    select session_id from sessions where not is_answered

),

parts as (

    select session_id, manager_id, true as is_answered, sum(talk_seconds) as talk_seconds
    from legs
    where is_answered and has_extension
    group by session_id, manager_id

    union all

    select session_id, 'unknown' as manager_id, true, sum(talk_seconds)
    from legs
    where is_answered and session_id in (from bare_sessions)
    group by session_id

    union all

    select
        session_id,
        arg_min(manager_id, {'bare': not has_extension, 'at': started_at, 'id': call_id}),
        false,
        0
    from legs
    where session_id in (from missed_sessions)
    group by session_id

)

select
    parts.*,
    sessions.direction,
    sessions.contact_id,
    sessions.source_id,
    sessions.started_on,
    sessions.is_first_contact
from parts
inner join fct_call_sessions as sessions on parts.session_id = sessions.session_id;

create table fct_call_evaluations as
with current_evaluations as (

    select *
    from read_parquet(getvariable('raw') || '/telephony/call_evaluations/*.parquet')
    where score between 0 and 100
    qualify row_number() over (partition by call_id order by _loaded_at desc) = 1

)

select
    coalesce(legs.manager_id, 'unknown') as manager_id,
    coalesce(sessions.source_id, 'unknown') as source_id,
    coalesce(sessions.started_on, local_date(evaluations.evaluated_at)) as credited_on,
    evaluations.score,
    evaluations.needs_found,
    evaluations.presentation_made,
    evaluations.objections_handled,
    evaluations.next_step_agreed
from current_evaluations as evaluations
left join legs on evaluations.call_id = legs.call_id
left join fct_call_sessions as sessions on legs.session_id = sessions.session_id;

-- Each family by date, manager and source; then all side by side.
create table kpi_daily as
with calls as (

    select
        started_on as date_day,
        manager_id,
        source_id,
        count(*) as calls,
        count(*) filter (where direction = 'in') as calls_inbound,
        count(*) filter (where direction = 'out') as calls_outbound,
        count(*) filter (where is_answered) as calls_answered,
        count(*) filter (where is_answered and talk_seconds >= 60) as calls_60s,
        sum(talk_seconds) as talk_seconds,
        count(*) filter (where direction = 'in' and not is_answered) as calls_missed,
        count(*) filter (where is_first_contact) as first_calls,
        count(*) filter (where contact_id is not null and not is_first_contact) as followup_calls
    from fct_calls
    group by all

),

dated_leads as (

    select
        unnest([
            {'date_day': local_date(created_at), 'what': 'created'},
            {'date_day': local_date(taken_at), 'what': 'taken'},
            {
                'date_day': local_date(coalesce(qualified_at, created_at)),
                'what': case when is_target then 'target' when not is_target then 'non_target' end
            }
        ], recursive := true),
        manager_id,
        coalesce(source_id, 'unknown') as source_id
    from fct_leads

),

leads as (

    select
        date_day,
        manager_id,
        source_id,
        count(*) filter (where what = 'created') as leads_created,
        count(*) filter (where what = 'taken') as leads_taken,
        count(*) filter (where what = 'target') as leads_target,
        count(*) filter (where what = 'non_target') as leads_non_target
    from dated_leads
    where date_day is not null and what is not null
    group by all

),

activities as (

    select
        happened_on as date_day,
        manager_id,
        source_id,
        count(*) filter (where kind = 'email' and is_ours) as emails_sent,
        count(*) filter (where kind = 'message' and is_ours) as messages_sent,
        count(*) filter (where kind = 'social' and is_ours) as social_touches,
        count(*) filter (where kind = 'proposal' and is_ours) as proposals_sent,
        count(*) filter (where kind = 'presentation') as presentations
    from (select *, coalesce(direction, 'out') = 'out' as is_ours from fct_activities)
    where kind = 'presentation' or (is_ours and kind in ('email', 'message', 'social', 'proposal'))
    group by all

),

dated_meetings as (

    select
        unnest([
            {'date_day': local_date(set_at), 'manager_id': set_by, 'what': 'set'},
            {'date_day': local_date(confirmed_at), 'manager_id': set_by, 'what': 'confirmed'},
            {'date_day': local_date(held_at), 'manager_id': set_by, 'what': 'set_held'},
            {'date_day': local_date(held_at), 'manager_id': held_by, 'what': 'held'},
            {'date_day': local_date(first_paid_at), 'manager_id': set_by, 'what': 'paid'}
        ], recursive := true),
        source_id,
        kind
    from fct_meetings

),

meetings as (

    select
        date_day,
        manager_id,
        source_id,
        count(*) filter (where what = 'set') as meetings_set,
        count(*) filter (where what = 'confirmed') as meetings_confirmed,
        count(*) filter (where what = 'set_held') as set_meetings_held,
        count(*) filter (where what = 'paid') as set_meetings_paid,
        count(*) filter (where what = 'held') as meetings_held,
        count(*) filter (where what = 'held' and kind = 'demo') as demos_held,
        count(*) filter (where what = 'held' and kind = 'visit') as visits_held
    from dated_meetings
    where date_day is not null
    group by all

),

new_deals as (

    select created_on as date_day, manager_id, source_id, count(*) as deals_created
    from fct_deals
    group by all

),

closed_deals as (

    select
        closed_on as date_day,
        manager_id,
        source_id,
        count(*) filter (where outcome = 'won') as deals_won,
        count(*) filter (where outcome = 'lost') as deals_lost,
        count(*) filter (where outcome = 'won' and deal_type = 'upsell') as upsells_won,
        sum(amount) filter (where outcome = 'won') as won_amount,
        sum(cycle_microseconds) as cycle_microseconds
    from fct_deals
    where outcome != 'open'
    group by all

),

payments as (

    select
        paid_on as date_day,
        manager_id,
        source_id,
        sum(amount) as revenue,
        -sum(amount) filter (where kind = 'refund') as refunds,
        sum(amount) filter (where coalesce(deal_type, 'new') = 'new') as revenue_new,
        sum(amount) filter (where deal_type in ('repeat', 'upsell')) as revenue_repeat,
        count(*) filter (where is_first_of_contact) as new_customers
    from fct_payments
    group by all
    having bool_or(amount != 0 or is_first_of_contact)

),

surveys as (

    select
        answered_on as date_day,
        manager_id,
        source_id,
        count(*) as surveys,
        count(*) filter (where score >= 4) as surveys_positive,
        sum(score) as survey_score
    from fct_surveys
    group by all

),

evaluations as (

    select
        credited_on as date_day,
        manager_id,
        source_id,
        count(*) as evaluated_calls,
        sum(score) as evaluation_score,
        count(*) filter (where needs_found) as needs_found,
        count(*) filter (where presentation_made) as presentations_made,
        count(*) filter (where objections_handled) as objections_handled,
        count(*) filter (where next_step_agreed) as next_steps_agreed
    from fct_call_evaluations
    group by all

),

joined as (

    select *
    from calls
    full join leads using (date_day, manager_id, source_id)
    full join activities using (date_day, manager_id, source_id)
    full join meetings using (date_day, manager_id, source_id)
    full join new_deals using (date_day, manager_id, source_id)
    full join closed_deals using (date_day, manager_id, source_id)
    full join payments using (date_day, manager_id, source_id)
    full join surveys using (date_day, manager_id, source_id)
    full join evaluations using (date_day, manager_id, source_id)

)

select
    date_day,
    manager_id,
    source_id,
    coalesce(columns(* exclude (date_day, manager_id, source_id, cycle_microseconds)), 0),
    coalesce(cycle_microseconds, 0) / 86400000000.0 as cycle_days_won
from joined;
