-- One row per raw table with events: how many of its existing rows tell of something after the
-- as-of date, and the money in them.

with as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

counted_rows as (

    select * from {{ ref('int_rows__counted') }}

),

payments as (

    select * from {{ ref('fct_payments') }}

),

deals as (

    select * from {{ ref('fct_deals') }}

),

ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

-- An event of a row is its last one.
events as (

    {% for table, columns in event_columns().items() %}
    {%- set all_events = columns | join(', ') %}
    {%- set last_event = all_events if columns | length == 1 else 'greatest(' ~ all_events ~ ')' %}
    select
        '{{ table }}' as table_name,
        count(*) as rows,
        count(*) filter (where {{ last_event }} >= as_of.as_of_at) as rows_after,
        {{ local_date('max(' ~ last_event ~ ')') }} as last_event_on
    from {{ ref('stg_' ~ table.replace('.', '__')) }}
    cross join as_of
    union all
    {% endfor %}
    select
        'marketing.ad_spend' as table_name,
        count(*) as rows,
        count(*) filter (where ad_spend.spend_date > as_of.as_of_date) as rows_after,
        max(ad_spend.spend_date) as last_event_on
    from ad_spend
    cross join as_of

),

money as (

    select 'crm.payments' as table_name, sum(payments.amount) as amount_after
    from payments
    cross join as_of
    where payments.paid_on > as_of.as_of_date
    union all
    select 'crm.deals' as table_name, sum(deals.amount) as amount_after
    from deals
    cross join as_of
    where deals.outcome = 'won' and deals.closed_on > as_of.as_of_date
    union all
    select 'marketing.ad_spend' as table_name, sum(ad_spend.cost) as amount_after
    from ad_spend
    cross join as_of
    where ad_spend.spend_date > as_of.as_of_date

),

last_load as (

    select {{ local_date('max(last_loaded_at)') }} as last_loaded_on
    from counted_rows

),

final as (

    select
        events.table_name,
        as_of.as_of_date,
        {{ 'true' if var('as_of') else 'false' }} as is_as_of_set,
        last_load.last_loaded_on,
        events.rows,
        events.rows_after,
        events.last_event_on,
        cast(money.amount_after as decimal(38, 2)) as amount_after
    from events
    cross join as_of
    cross join last_load
    left join money
        on events.table_name = money.table_name

)

select * from final
