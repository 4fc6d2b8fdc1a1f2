-- One row per deal or lead and span of days [known_from, known_until): its source and type
-- as they were known then. A day knows the greatest version that was loaded by its end;
-- before the first load it knows only what has never been otherwise.

{{ config(materialized='touched_keys', meta={
    'key': ['party', 'party_id'],
    'touched_by': {
        'base_crm__deals': "select 'deal' as party, deal_id as party_id from changes",
        'base_crm__leads': "select 'lead' as party, lead_id as party_id from changes",
    },
}) }}

with deals as (

    select * from {{ ref('base_crm__deals') }}
    {{ where_touched("'deal', deal_id") }}

),

leads as (

    select * from {{ ref('base_crm__leads') }}
    {{ where_touched("'lead', lead_id") }}

),

versions as (

    select
        'deal' as party, deal_id as party_id, source_id, deal_type, updated_at, _loaded_at
    from deals
    where is_whole
    union all
    select
        'lead' as party, lead_id as party_id, source_id, {{ null_text() }} as deal_type,
        updated_at, _loaded_at
    from leads
    where is_whole

),

ordered as (

    select
        *,
        {{ local_date('_loaded_at') }} as loaded_on,
        row_number() over (
            partition by party, party_id
            order by
                updated_at asc nulls first,
                _loaded_at asc,
                source_id asc nulls last,
                deal_type asc nulls last
        ) as version_no,
        min(coalesce(source_id, '')) over parties
        = max(coalesce(source_id, '')) over parties as has_one_source,
        min(coalesce(deal_type, '')) over parties
        = max(coalesce(deal_type, '')) over parties as has_one_type
    from versions
    window parties as (partition by party, party_id)

),

load_days as (

    select
        party,
        party_id,
        loaded_on,
        max(max(version_no)) over (
            partition by party, party_id order by loaded_on
            rows between unbounded preceding and current row
        ) as version_no,
        lead(loaded_on) over (partition by party, party_id order by loaded_on) as known_until
    from ordered
    group by 1, 2, 3

),

final as (

    select
        load_days.party,
        load_days.party_id,
        load_days.loaded_on as known_from,
        coalesce(load_days.known_until, date '9999-12-31') as known_until,
        ordered.source_id,
        ordered.deal_type
    from load_days
    inner join ordered
        on
            load_days.party = ordered.party
            and load_days.party_id = ordered.party_id
            and load_days.version_no = ordered.version_no
    union all
    select
        party,
        party_id,
        date '0001-01-01' as known_from,
        min(loaded_on) as known_until,
        max(case when has_one_source then source_id end) as source_id,
        max(case when has_one_type then deal_type end) as deal_type
    from ordered
    group by 1, 2

)

select * from final
