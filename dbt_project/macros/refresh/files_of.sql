{# The table with the files of a raw table that were read, as the preflight listed them. #}
{% macro files_read_of(raw_table) -%}
    {%- do return(state_schema(model.name) ~ '.files_of__' ~ raw_table.replace('.', '_')) -%}
{%- endmacro %}

{# The files that the preflight listed of a raw table, or those that it found to be new. #}
{% macro files_listed_of(raw_table, new=false) -%}
    select file, rows, bytes, stamp from {{ preflight('files') }}
    where table_name = '{{ raw_table }}' {{- ' and is_new' if new }}
{%- endmacro %}

{# A version of a raw table: the files that the preflight listed, and where they lie. #}
{% macro version_of_files(raw_table) -%}
    {%- do return(rows_of(
        "select 'files ' || count(file) || ' ' || md5(
            max(raw_dir) || coalesce(" ~ joined_in_order("concat_ws('|', file, rows, bytes, stamp)") ~ ", '')
        )
        from " ~ preflight('origin') ~ " as origin
        left join " ~ preflight('files') ~ " as files on table_name = '" ~ raw_table ~ "'"
    )[0][0]) -%}
{%- endmacro %}

{# A table of what the preflight saw in the raw zone. #}
{% macro preflight(table) -%}
    {{ return(adapter.dispatch('preflight', 'voronka')(table)) }}
{%- endmacro %}

{% macro duckdb__preflight(table) -%}
    {%- do return('raw_zone.zone.' ~ table) -%}
{%- endmacro %}

{% macro spark__preflight(table) -%}
    {%- do return(env_var('VORONKA_SCHEMA_PREFIX', '') ~ 'zone.' ~ table) -%}
{%- endmacro %}

{# All texts of a group as one, a line for each, in their order. #}
{% macro joined_in_order(value) -%}
    {{ return(adapter.dispatch('joined_in_order', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__joined_in_order(value) -%}
    {%- do return('string_agg(' ~ value ~ ', chr(10) order by ' ~ value ~ ')') -%}
{%- endmacro %}

{% macro spark__joined_in_order(value) -%}
    {%- do return('concat_ws(chr(10), sort_array(collect_list(' ~ value ~ ')))') -%}
{%- endmacro %}

{#
  Whether all files that were read of a raw table are still there as they were, and the
  preflight took for new just those that were not read.
#}
{% macro only_adds_files(raw_table) -%}
    {%- do return(rows_of(
        "with read as (select * from " ~ files_read_of(raw_table) ~ "),
        listed as (" ~ files_listed_of(raw_table) ~ "),
        new as (" ~ files_listed_of(raw_table, new=true) ~ ")
        select count(*) from (
            (select * from read except select * from listed)
            union all
            (select * from new intersect select * from read)
            union all
            (select * from listed except select * from read except select * from new)
        )"
    )[0][0] == 0) -%}
{%- endmacro %}
