-- Returns a raw table of which more than a thousandth lies after the warehouse's today.

{{ config(severity='warn') }}

with events_after_as_of as (

    select * from {{ ref('events_after_as_of') }}

),

final as (

    select
        table_name,
        rows_after,
        table_name || ': ' || {{ counted('rows_after', 'row') }} || ' of '
        || {{ thousands('rows') }}
        || case rows_after when 1 then ' is' else ' are' end
        || ' after the as-of date ' || cast(as_of_date as string)
        || ', up to ' || cast(last_event_on as string)
        || coalesce(
            ', with ' || cast(amount_after as string) || ' ' || {{ base_currency() }}, ''
        )
        || case
            when is_as_of_set
                then '; that date is the variable as_of: unset it to see them'
            else
                '; that date is the day of the last load: if it is too early, let the exporter'
                || ' write into _loaded_at when it read a row; if these events are yet to come,'
                || ' correct their dates'
        end as message
    from events_after_as_of
    where rows_after * 1000 > rows

)

select * from final
