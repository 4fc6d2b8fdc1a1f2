-- One row per deal and span of days [from_on, until_on) in which an open deal's stage, its
-- last contact and the state of its meetings do not change, up to the as-of date.

{{ config(materialized='touched_keys', meta={
    'key': 'deal_id',
    'touched_by': {
        'int_outlook__stays': 'select deal_id from changes',
        'int_outlook__touches': 'select deal_id from changes',
        'int_refresh__as_of': 'select deal_id from this where until_on > (select min(as_of_date) from changes) union all select deal_id from int_outlook__stays where from_on > (select min(as_of_date) from changes) union all select deal_id from int_outlook__touches where known_on > (select min(as_of_date) from changes)',
    },
}) }}

with stays as (

    select * from {{ ref('int_outlook__stays') }}
    {{ where_touched('deal_id') }}

),

touches as (

    select * from {{ ref('int_outlook__touches') }}
    {{ where_touched('deal_id') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

touch_days as (

    select
        deal_id,
        known_on as from_on,
        max(case when is_contact then happened_on end) as contact_on,
        -- The later day wins, and within a day the further step.
        max(10 * {{ days_between("date '1970-01-01'", 'known_on') }} + case touch
            when 'meeting_set' then 1
            when 'meeting_confirmed' then 2
            when 'meeting_cancelled' then 3
            when 'meeting_held' then 4
        end) as meeting_mark
    from touches
    group by 1, 2

),

changes as (

    select deal_id, from_on, contact_on, meeting_mark, null as entry_no
    from touch_days
    union all
    select deal_id, from_on, null as contact_on, null as meeting_mark, entry_no
    from stays

),

days as (

    select
        deal_id,
        from_on,
        max(contact_on) as contact_on,
        max(meeting_mark) as meeting_mark,
        max(entry_no) as entry_no
    from changes
    group by 1, 2

),

spans as (

    select
        deal_id,
        from_on,
        max(contact_on) over so_far as last_contact_on,
        max(meeting_mark) over so_far as meeting_mark,
        max(entry_no) over so_far as entry_no,
        lead(from_on) over (partition by deal_id order by from_on) as next_on
    from days
    window so_far as (
        partition by deal_id order by from_on rows between unbounded preceding and current row
    )

),

final as (

    select
        spans.deal_id,
        stays.created_on,
        stays.entry_no,
        stays.stage_id,
        stays.pipeline_id,
        stays.stage_kind,
        stays.entered_on,
        spans.last_contact_on,
        case spans.meeting_mark % 10
            when 1 then 'set'
            when 2 then 'confirmed'
            when 3 then 'cancelled'
            when 4 then 'held'
            else 'none'
        end as meeting_state,
        spans.from_on,
        coalesce(
            least(spans.next_on, {{ add_days('as_of.as_of_date', 1) }}),
            {{ add_days('as_of.as_of_date', 1) }}
        ) as until_on
    from spans
    inner join stays
        on
            spans.deal_id = stays.deal_id
            and spans.entry_no = stays.entry_no
    cross join as_of
    where
        stays.stage_kind not in ('won', 'lost')
        and spans.from_on <= as_of.as_of_date
        and (stays.until_on is null or spans.from_on < stays.until_on)

)

select * from final
