-- One row per deal whose first payment came at or after a held meeting: the latest
-- such meeting (the smallest key of several) is what the payment is owed to.

with meetings as (

    select * from {{ ref('int_meetings__resolved') }}

),

first_payments as (

    select * from {{ ref('int_deals__first_payment') }}

),

final as (

    select
        first_payments.deal_id,
        first_payments.first_paid_at,
        meetings.meeting_id,
        meetings.set_by,
        meetings.source_id
    from first_payments
    inner join meetings
        on
            first_payments.deal_id = meetings.deal_id
            and first_payments.first_paid_at >= meetings.held_at
    qualify row_number() over (
        partition by first_payments.deal_id
        order by meetings.held_at desc, meetings.meeting_id asc
    ) = 1

)

select * from final
