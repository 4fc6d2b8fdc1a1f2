-- Each family of measures by date, manager and source.
create temp view daily_calls as
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
group by all;

create temp view dated_leads as
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
from fct_leads;

create temp view daily_leads as
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
group by all;

create temp view daily_activities as
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
group by all;

create temp view dated_meetings as
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
from fct_meetings;

create temp view daily_meetings as
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
group by all;
