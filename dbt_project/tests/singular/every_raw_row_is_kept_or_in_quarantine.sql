-- Returns a raw table whose rows by its files' footers are not those kept and those
-- quarantined, or whose quarantine is not what data_quality_daily counts.

with reconciliation as (

    select * from {{ ref('raw_reconciliation') }}

),

quarantined as (

    select
        table_name,
        sum(rows) as rows_in_data_quality
    from {{ ref('data_quality_daily') }}
    where check_name = 'quarantined'
    group by 1

),

tables as (

    {% for source_name, table_name in raw_tables() %}
    select '{{ source_name }}.{{ table_name }}' as table_name
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

final as (

    select
        tables.table_name,
        reconciliation.rows_read,
        reconciliation.rows_kept,
        reconciliation.rows_quarantined,
        coalesce(quarantined.rows_in_data_quality, 0) as rows_in_data_quality
    from tables
    left join reconciliation
        on tables.table_name = reconciliation.table_name
    left join quarantined
        on tables.table_name = quarantined.table_name

)

select * from final
where
    rows_read is distinct from rows_kept + rows_quarantined
    or rows_quarantined is distinct from rows_in_data_quality
