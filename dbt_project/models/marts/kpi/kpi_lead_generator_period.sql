-- One row per grain, period, manager and source with anything of a lead generator's
-- work: calls, leads taken and judged, meetings set and what became of them.

{% set key = ['period_grain', 'period_start', 'manager_id', 'source_id'] %}
{{ config(materialized='touched_keys', meta={
    'key': key,
    'touched_by': {
        'int_measures__periods': 'select ' ~ key | join(', ') ~ ' from changes',
        'dim_manager': rows_of_members('int_measures__periods', key, 'manager_id'),
        'dim_source': rows_of_members('int_measures__periods', key, 'source_id'),
    },
}) }}

{% set measures = ['calls_60s', 'talk_seconds', 'leads_taken', 'leads_target',
    'leads_non_target', 'meetings_set', 'meetings_confirmed', 'set_meetings_held',
    'set_meetings_paid'] %}
{% set ratios = ['call_to_meeting_rate', 'meeting_confirmation_rate',
    'confirmed_to_held_rate', 'meeting_show_rate', 'held_to_paid_rate'] %}

with periods as (

    select * from {{ ref('int_measures__periods') }}
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
        periods.period_grain,
        periods.period_start,
        periods.manager_id,
        managers.manager_name,
        managers.team,
        periods.source_id,
        sources.source_name,
        sources.channel,
        periods.calls_60s,
        {{ figure('talk_minutes', 'periods') }} as talk_minutes,
        {%- for measure in measures if measure not in ('calls_60s', 'talk_seconds') %}
        periods.{{ measure }},
        {%- endfor %}
        {%- for name in ratios %}
        {{ figure(name, 'periods') }} as {{ name }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from periods
    inner join managers
        on periods.manager_id = managers.manager_id
    inner join sources
        on periods.source_id = sources.source_id
    where {{ any_not_zero(measures) }}

)

select * from final
