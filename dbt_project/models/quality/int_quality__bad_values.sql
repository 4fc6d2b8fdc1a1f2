-- One row per raw table, day and optional column: how many kept rows, of all
-- versions, have a value there that does not read or is unknown.

with bad_values as (

    {% for source_name, table_name in raw_tables() %}
    select
        '{{ source_name }}.{{ table_name }}' as table_name,
        event_on,
        {{ unnested('bad_values') }} as column_name
    from {{ ref('base_' ~ source_name ~ '__' ~ table_name) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        table_name,
        event_on,
        'bad_value:' || column_name as check_name,
        count(*) as rows
    from bad_values
    group by 1, 2, 3

)

select * from final
