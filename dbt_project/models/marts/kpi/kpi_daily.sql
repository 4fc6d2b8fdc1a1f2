-- One row per local date, manager and source with anything to count.

{% set key = ['date_day', 'manager_id', 'source_id'] %}
{{ config(materialized='touched_keys', meta={
    'key': key,
    'touched_by': {
        'int_measures__daily': 'select ' ~ key | join(', ') ~ ' from changes',
        'dim_manager': rows_of_members('int_measures__daily', key, 'manager_id'),
        'dim_source': rows_of_members('int_measures__daily', key, 'source_id'),
    },
}) }}

with measures as (

    select * from {{ ref('int_measures__daily') }}
    {{ where_touched(key | join(', ')) }}

),

managers as (

    select * from {{ ref('dim_manager') }}

),

sources as (

    select * from {{ ref('dim_source') }}

),

final as (

    select
        measures.date_day,
        measures.manager_id,
        managers.manager_name,
        managers.team,
        measures.source_id,
        sources.source_name,
        sources.channel,
        {{- public_measures('measures') }}
    from measures
    inner join managers
        on measures.manager_id = managers.manager_id
    inner join sources
        on measures.source_id = sources.source_id
    where {{ any_not_zero(stored_measures()) }}

)

select * from final
