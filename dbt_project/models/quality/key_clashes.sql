-- One row per raw table and column in which different rows share a key: in one file what never
-- changes of a row differs, or nothing says which of two versions is the newer one.

{% for source_name, table_name in raw_tables() %}
-- depends_on: {{ ref('base_' ~ source_name ~ '__' ~ table_name) }}
{%- endfor %}

with counted_rows as (

    select * from {{ ref('int_rows__counted') }}

),

{% for table in (keyed_tables() if execute else []) -%}
{%- set name = table.source_name ~ '__' ~ table.table_name -%}
{%- set keys = table['keys'] | join(', ') -%}
{{ name }}_kept as {{ not_materialized() }} (

    select * from {{ ref('base_' ~ name) }}
    where {{ list_length('reasons') }} = 0 and is_deleted is not true

),

-- Few keys have several rows. Hashes of keys are found sooner than keys.
{{ name }}_shared as (

    select hash({{ keys }}) as key_hash
    from {{ name }}_kept
    group by 1
    having count(*) > 1

),

{{ name }}_rows as (

    select *
    from {{ name }}_kept
    semi join {{ name }}_shared on hash({{ keys }}) = key_hash

),

{% endfor -%}

clashes as (

    {% for table in (keyed_tables() if execute else []) -%}
    {%- set name = table.source_name ~ '__' ~ table.table_name -%}
    {%- set texts = [] -%}
    {%- for column in table['keys'] -%}
        {%- do texts.append(value_as_text(column, table.types[column]) | trim) -%}
    {%- endfor -%}
    {%- set key = 'concat_ws(\' / \', ' ~ texts | join(', ') ~ ')' -%}
    {%- for column in table.fixed %}
    select
        '{{ table.source_name }}.{{ table.table_name }}' as table_name,
        '{{ column }}' as column_name,
        true as never_changes,
        {{ key }} as row_key,
        min({{ value_as_text(column, table.types[column]) }}) || ', '
        || max({{ value_as_text(column, table.types[column]) }}) as found
    from {{ name }}_rows
    group by {{ table['keys'] | join(', ') }}, _file
    having min({{ column }}) < max({{ column }})
    union all
    {%- endfor %}
    select
        '{{ table.source_name }}.{{ table.table_name }}' as table_name,
        {{ unnested(text_list(differing(table['values']))) }} as column_name,
        false as never_changes,
        {{ key }} as row_key,
        null as found
    from {{ name }}_rows
    group by {{ table['keys'] | join(', ') }}, updated_at, _loaded_at
    {{ 'union all' if not loop.last }}
    {%- endfor %}
    {%- if not execute %}
    select '' as table_name, '' as column_name, false as never_changes, '' as row_key, '' as found
    {%- endif %}

),

by_key as (

    select
        table_name,
        column_name,
        never_changes,
        row_key,
        min(found) as found
    from clashes
    group by 1, 2, 3, 4

),

-- Of different rows all columns differ: what tells them apart is enough.
telling as (

    select *
    from by_key
    qualify never_changes or not bool_or(never_changes) over (partition by table_name, row_key)

),

numbered as (

    select
        *,
        row_number() over (
            partition by table_name, column_name, never_changes
            order by row_key
        ) as key_no
    from telling

),

final as (

    select
        numbered.table_name,
        numbered.column_name,
        numbered.never_changes,
        cast(max(counted_rows.rows_kept) as bigint) as rows_kept,
        count(*) as keys,
        {{ joined_text(
            "case when numbered.key_no <= 5 then left(numbered.row_key, 100) "
            ~ "|| coalesce(' (' || left(numbered.found, 100) || ')', '') end",
            '; '
        ) }} as examples
    from numbered
    inner join counted_rows
        on numbered.table_name = counted_rows.table_name
    group by 1, 2, 3

)

select * from final
