-- All daily measures side by side: one row per date, manager and source with any
-- event. Cycles stay in whole microseconds, so that no sum depends on order.

{% set families = ['calls', 'leads', 'activities', 'meetings', 'deals', 'payments',
    'surveys', 'evaluations'] %}
{{ config(materialized='touched_keys', meta={
    'key': ['date_day', 'manager_id', 'source_id'],
    'touched_by': [
        'int_measures__calls', 'int_measures__leads', 'int_measures__activities',
        'int_measures__meetings', 'int_measures__deals', 'int_measures__payments',
        'int_measures__surveys', 'int_measures__evaluations',
    ],
}) }}

with {% for family in families %}
daily_{{ family }} as (

    select * from {{ ref('int_measures__' ~ family) }}
    {{ where_touched('date_day, manager_id, source_id') }}

),
{% endfor %}

cells as (

    {% for family in families %}
    select date_day, manager_id, source_id from daily_{{ family }}
    {% if not loop.last %}union{% endif %}
    {% endfor %}

),

final as (

    select
        cells.date_day,
        cells.manager_id,
        cells.source_id,
        {%- for measure in stored_measures() %}
        coalesce({{ measure }}, 0) as {{ measure }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from cells
    {%- for family in families %}
    left join daily_{{ family }}
        on
            cells.date_day = daily_{{ family }}.date_day
            and cells.manager_id = daily_{{ family }}.manager_id
            and cells.source_id = daily_{{ family }}.source_id
    {%- endfor %}

)

select * from final
