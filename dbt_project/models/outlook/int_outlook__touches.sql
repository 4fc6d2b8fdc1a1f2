-- One row per deal, kind of touch, day on which it happened and day on which that is known
-- of the deal. What names a deal belongs to that deal; what names none, or one that does
-- not exist yet, belongs to the deals of its contact or lead. A payment that names a
-- contact is the touch `contact_payment` of all deals of the contact.

{{ config(materialized='touched_keys', meta={
    'key': 'deal_id',
    'touched_by': {
        'int_outlook__deal_links': 'select deal_id from changes',
        'int_outlook__conversations': "select deal_id from int_outlook__deal_links where (link = 'contact' and linked_id in (select contact_id from changes)) or (link = 'lead' and linked_id in (select lead_id from changes))",
        'int_outlook__events': "select deal_id from changes where deal_id is not null union all select deal_id from int_outlook__deal_links where (link = 'contact' and linked_id in (select contact_id from changes)) or (link = 'lead' and linked_id in (select lead_id from changes))",
    },
}) }}

with links as (

    select * from {{ ref('int_outlook__deal_links') }}
    {{ where_touched('deal_id') }}

),

conversations as (

    select * from {{ ref('int_outlook__conversations') }}

),

events as (

    select * from {{ ref('int_outlook__events') }}

),

named_events as (

    select * from {{ ref('int_outlook__events') }}
    {{ where_touched('deal_id') }}

),

by_link as (

    select
        event_id, touch, happened_on, known_on, talk_seconds,
        'contact' as link, contact_id as linked_id,
        cast(null as date) as named_deal_created_on
    from conversations
    union all
    select
        event_id, touch, happened_on, greatest(known_on, lead_known_on) as known_on, talk_seconds,
        'lead' as link, lead_id as linked_id,
        cast(null as date) as named_deal_created_on
    from conversations
    {%- for link in ['contact', 'lead'] %}
    union all
    select
        event_id, touch, happened_on, happened_on as known_on, 0 as talk_seconds,
        '{{ link }}' as link, {{ link }}_id as linked_id,
        deal_created_on as named_deal_created_on
    from events
    where touch != 'payment'
    {%- endfor %}
    union all
    select
        event_id, 'contact_payment' as touch, happened_on, happened_on as known_on,
        0 as talk_seconds,
        'contact' as link, contact_id as linked_id,
        cast(null as date) as named_deal_created_on
    from events
    where touch = 'payment'

),

found as (

    select
        links.deal_id,
        by_link.event_id,
        by_link.touch,
        by_link.happened_on,
        greatest(by_link.known_on, links.known_on) as known_on,
        by_link.talk_seconds,
        least(links.replaced_on, by_link.named_deal_created_on) as not_from
    from by_link
    inner join links
        on
            by_link.link = links.link
            and by_link.linked_id = links.linked_id
    union all
    select
        deal_id,
        event_id,
        touch,
        happened_on,
        greatest(happened_on, deal_created_on) as known_on,
        0 as talk_seconds,
        cast(null as date) as not_from
    from named_events
    where deal_id is not null

),

-- Contact and lead may both lead to it.
once as (

    select
        deal_id,
        event_id,
        touch,
        happened_on,
        min(known_on) as known_on,
        max(talk_seconds) as talk_seconds
    from found
    where not_from is null or known_on < not_from
    group by 1, 2, 3, 4

),

final as (

    select
        deal_id,
        touch,
        happened_on,
        known_on,
        touch in (
            'conversation', 'message_in', 'message_out', 'proposal', 'presentation', 'meeting_held'
        ) as is_contact,
        count(*) as touches,
        cast(sum(talk_seconds) as bigint) as talk_seconds
    from once
    group by 1, 2, 3, 4

)

select * from final
