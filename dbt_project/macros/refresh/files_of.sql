{# The table with the files of a raw table that were read, as the preflight listed them. #}
{% macro files_read_of(raw_table) -%}
    {%- do return(this.database ~ '.state.files_of__' ~ raw_table.replace('.', '_')) -%}
{%- endmacro %}

{# The files that the preflight listed of a raw table, or those that it found to be new. #}
{% macro files_listed_of(raw_table, new=false) -%}
    select file, rows, bytes, stamp from raw_zone.zone.files
    where table_name = '{{ raw_table }}' {{- ' and is_new' if new }}
{%- endmacro %}

{# A version of a raw table: the files that the preflight listed, and where they lie. #}
{% macro version_of_files(raw_table) -%}
    {%- do return(rows_of(
        "select 'files ' || count(file) || ' ' || md5(
            max(raw_dir) || coalesce(string_agg(concat_ws('|', file, rows, bytes, stamp), chr(10) order by file), '')
        )
        from raw_zone.zone.origin
        left join raw_zone.zone.files on table_name = '" ~ raw_table ~ "'"
    )[0][0]) -%}
{%- endmacro %}

{#
  Whether all files that were read of a raw table are still there as they were, and the
  preflight took for new just those that were not read.
#}
{% macro only_adds_files(raw_table) -%}
    {%- do return(rows_of(
        "with read as (from " ~ files_read_of(raw_table) ~ "),
        listed as (" ~ files_listed_of(raw_table) ~ "),
        new as (" ~ files_listed_of(raw_table, new=true) ~ ")
        select count(*) from (
            (from read except from listed)
            union all
            (from new intersect from read)
            union all
            (from listed except from read except from new)
        )"
    )[0][0] == 0) -%}
{%- endmacro %}
