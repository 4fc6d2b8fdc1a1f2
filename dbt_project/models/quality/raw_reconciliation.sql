-- One row per raw table: the rows its files hold by their own footers, and where each
-- of them went. A test stops publication where the two sides differ.

with zone_tables as (

    select * from {{ source('zone', 'tables') }}

),

counted_rows as (

    select * from {{ ref('int_rows__counted') }}

),

final as (

    select
        counted_rows.table_name,
        zone_tables.files,
        zone_tables.rows as rows_read,
        counted_rows.rows_kept,
        counted_rows.rows_quarantined
    from counted_rows
    inner join zone_tables
        on counted_rows.table_name = zone_tables.table_name

)

select * from final
