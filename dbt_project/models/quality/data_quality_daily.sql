-- What is wrong with the data: one row per day of the rows' events, raw table and
-- check.

with quarantined as (

    select * from {{ ref('int_quality__quarantined') }}

),

bad_values as (

    select * from {{ ref('int_quality__bad_values') }}

),

broken_references as (

    select * from {{ ref('int_quality__broken_references') }}

),

odd_rows as (

    select * from {{ ref('int_quality__odd_rows') }}

),

as_of as (

    select * from {{ ref('int_refresh__as_of') }}

),

findings as (

    select * from quarantined
    union all
    select * from bad_values
    union all
    select * from broken_references
    union all
    select * from odd_rows

),

final as (

    select
        coalesce(findings.event_on, as_of.as_of_date) as date_day,
        findings.table_name,
        findings.check_name,
        cast(sum(findings.rows) as bigint) as rows
    from findings
    cross join as_of
    group by 1, 2, 3

)

select * from final
