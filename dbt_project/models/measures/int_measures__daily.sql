-- All daily measures side by side: one row per date, manager and source with any
-- event. Cycles stay in whole microseconds, so that no sum depends on order.

{% set families = ['calls', 'leads', 'activities', 'meetings', 'deals', 'payments',
    'surveys', 'evaluations'] %}
{% set touched_by = {} %}
{% for family in families %}
    {%- do touched_by.update({'int_measures__' ~ family: 'select date_day from changes'}) %}
{%- endfor %}
{{ rebuilt_by('date_day', touched_by) }}

with {% for family in families %}
daily_{{ family }} as (

    select * from {{ ref('int_measures__' ~ family) }}
    {{ where_touched('date_day') }}

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
