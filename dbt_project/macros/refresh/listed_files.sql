{# A version of a raw table: the files that the preflight listed, and where they lie. #}
{% macro listed_files(raw_table) -%}
    {%- do return(rows_of(
        "select 'files ' || count(file) || ' ' || md5(
            max(raw_dir) || coalesce(string_agg(concat_ws('|', file, rows, bytes, stamp), chr(10) order by file), '')
        )
        from raw_zone.zone.origin
        left join raw_zone.zone.files on table_name = '" ~ raw_table ~ "'"
    )[0][0]) -%}
{%- endmacro %}
