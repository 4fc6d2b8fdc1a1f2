-- One row per local day of every year in which something happened, was paid for or was
-- planned: when work opens and closes, and the working seconds of all days before it.
-- Since when an extension or a rate is valid is no beginning: systems write 2000-01-01.

with counted_rows as (

    select * from {{ ref('int_rows__counted') }}

),

events as (

    select * from {{ ref('int_events__dated') }}

),

deal_outcomes as (

    select * from {{ ref('int_deals__outcome') }}

),

deal_stays as (

    select * from {{ ref('int_deals__stays') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

exceptions as (

    select * from {{ ref('work_calendar_exceptions') }}

),

known_dates as (

    select
        case
            when table_name not in ('telephony.extensions', 'finance.exchange_rates')
                then first_event_on
        end as first_on,
        last_event_on as last_on
    from counted_rows
    union all
    select first_on, last_on from events
    union all
    select {{ local_date('closed_at') }} as first_on, {{ local_date('closed_at') }} as last_on
    from deal_outcomes
    union all
    select {{ local_date('entered_at') }} as first_on, {{ local_date('entered_at') }} as last_on
    from deal_stays
    union all
    select as_of_date as first_on, as_of_date as last_on from as_of

),

bounds as (

    select
        {{ period_start("'year'", add_days(period_start("'week'", 'min(first_on)'), -1)) }}
            as first_day,
        {{ next_period_start("'year'", period_start("'year'", add_days('max(last_on)', 7))) }}
            as end_day
    from known_dates

),

days as (

    {{ date_spine('bounds', 'first_day', 'end_day') }}

),

opening_hours as (

    select
        days.date_day,
        case
            when exceptions.date_day is not null then exceptions.opens_at
            when {{ iso_weekday('days.date_day') }} in ({{ var('working_weekdays') | join(', ') }})
                then '{{ var("working_from") }}'
        end as opens,
        case
            when exceptions.date_day is not null then exceptions.closes_at
            when {{ iso_weekday('days.date_day') }} in ({{ var('working_weekdays') | join(', ') }})
                then '{{ var("working_to") }}'
        end as closes
    from days
    left join exceptions
        on days.date_day = exceptions.date_day

),

instants as (

    select
        date_day,
        {{ local_instant('date_day', 'opens') }} as opens_at,
        {{ local_instant('date_day', 'closes') }} as closes_at
    from opening_hours

),

final as (

    select
        date_day,
        opens_at,
        closes_at,
        coalesce({{ seconds_between('opens_at', 'closes_at') }}, 0) as working_seconds,
        cast(coalesce(sum({{ seconds_between('opens_at', 'closes_at') }}) over (
            order by date_day
            rows between unbounded preceding and 1 preceding
        ), 0) as bigint) as working_seconds_before
    from instants

)

select * from final
