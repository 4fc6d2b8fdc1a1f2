-- Returns a raw table and column in which rows of one key differ, although the column never
-- changes of a row, or (in more than a thousandth of the rows) although nothing orders them.

{{ config(severity='warn') }}

with key_clashes as (

    select * from {{ ref('key_clashes') }}

),

final as (

    select
        table_name,
        column_name,
        keys,
        case
            when never_changes then
                table_name || ': ' || {{ counted('keys', 'key') }}
                || case keys when 1 then ' stands' else ' stand' end
                || ' for different rows of one file, which differ in ' || column_name || ': '
                || examples || '. Only one row of each counts: let the exporter make keys unique,'
                || ' for example of key and ' || column_name
            else
                table_name || ': ' || {{ counted('keys', 'key') }}
                || case keys when 1 then ' has' else ' have' end
                || ' versions that differ in ' || column_name
                || ', and neither updated_at nor _loaded_at says which is the newer one: '
                || examples || '. Let the exporter write updated_at, or make keys unique'
        end as message
    from key_clashes
    where never_changes or keys * 1000 > rows_kept

)

select * from final
