-- One row: the day that counts as today. The variable `as_of` where it is set;
-- else the latest event, but no later than the latest load. NULL for an empty zone.

{{ config(materialized='tracked_table') }}

with events as (

    select * from {{ ref('int_events__dated') }}

),

counted_rows as (

    select * from {{ ref('int_rows__counted') }}

),

last_dates as (

    select
        (select max(last_on) from events) as last_event_on,
        (select {{ local_date('max(last_loaded_at)') }} from counted_rows) as last_loaded_on

),

decided as (

    select
        {% if var('as_of') -%}
        cast('{{ var("as_of") }}' as date) as as_of_date
        {%- else -%}
        least(coalesce(last_event_on, last_loaded_on), last_loaded_on) as as_of_date
        {%- endif %}
    from last_dates

),

final as (

    select
        as_of_date,
        {{ local_instant(add_days('as_of_date', 1)) }} as as_of_at
    from decided

)

select * from final
