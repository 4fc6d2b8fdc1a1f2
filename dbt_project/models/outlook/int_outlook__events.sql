-- One row per activity, step of a meeting and payment, with the keys as the CRM gave them:
-- what happened, on which day, and the day on which the deal that it names exists. No step
-- of a meeting comes before it is set.

{{ config(materialized='touched_keys', meta={
    'key': 'event_id',
    'partition_month': 'happened_on',
    'touched_by': {
        'stg_crm__activities': 'select activity_id as event_id from changes',
        'stg_crm__meetings': 'select meeting_id as event_id from changes',
        'stg_crm__payments': 'select payment_id as event_id from changes',
        'stg_crm__deals': 'select activity_id as event_id from stg_crm__activities semi join changes using (deal_id) union all select meeting_id from stg_crm__meetings semi join changes using (deal_id) union all select payment_id from stg_crm__payments semi join changes using (deal_id)',
    },
}) }}

with activities as (

    select * from {{ ref('stg_crm__activities') }}
    {{ where_touched('activity_id') }}

),

meetings as (

    select * from {{ ref('stg_crm__meetings') }}
    {{ where_touched('meeting_id') }}

),

payments as (

    select * from {{ ref('stg_crm__payments') }}
    {{ where_touched('payment_id') }}

),

deals as (

    select * from {{ ref('stg_crm__deals') }}

),

events as (

    select
        activity_id as event_id,
        deal_id,
        contact_id,
        lead_id,
        case
            when kind = 'presentation' then kind
            when kind = 'proposal' and coalesce(direction, 'out') = 'out' then kind
            when direction = 'in' then 'message_in'
            else 'message_out'
        end as touch,
        happened_at
    from activities
    where kind not in ('task', 'other')
    {%- for step, column in [
        ('meeting_set', 'set_at'), ('meeting_confirmed', 'confirmed_at'),
        ('meeting_held', 'held_at'), ('meeting_cancelled', 'cancelled_at'),
    ] %}
    union all
    select
        meeting_id as event_id,
        deal_id,
        contact_id,
        lead_id,
        '{{ step }}' as touch,
        greatest(set_at, {{ column }}) as happened_at
    from meetings
    where {{ column }} is not null
    {%- endfor %}
    union all
    select
        payment_id as event_id,
        deal_id,
        contact_id,
        {{ null_text() }} as lead_id,
        'payment' as touch,
        paid_at as happened_at
    from payments
    where kind = 'payment'

),

final as (

    select
        events.event_id,
        events.touch,
        deals.deal_id,
        {{ local_date('deals.created_at') }} as deal_created_on,
        events.contact_id,
        events.lead_id,
        {{ local_date('events.happened_at') }} as happened_on
    from events
    left join deals
        on events.deal_id = deals.deal_id

)

select * from final
