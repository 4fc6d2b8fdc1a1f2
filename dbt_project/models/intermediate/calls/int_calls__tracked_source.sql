-- One row per conversation whose source call tracking knows: that of the first leg that
-- names a source which exists.

{{ config(materialized='touched_keys', meta={
    'key': 'session_id',
    'touched_by': {
        'int_calls__legs': 'select session_id from changes',
        'stg_crm__sources': 'select session_id from int_calls__legs semi join changes using (source_id)',
    },
}) }}

with legs as (

    select * from {{ ref('int_calls__legs') }}
    {{ where_touched('session_id') }}

),

sources as (

    select * from {{ ref('stg_crm__sources') }}

),

final as (

    select
        legs.session_id,
        min_by(sources.source_id, legs.leg_no) as source_id
    from legs
    inner join sources
        on legs.source_id = sources.source_id
    where {{ found('sources.source_id') }} is not null
    group by 1

)

select * from final
