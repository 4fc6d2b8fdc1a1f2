{# The files that the preflight listed of a raw table, or those that it found to be new. #}
{% macro files_listed_of(raw_table, new=false) -%}
    select file, rows, bytes, stamp from raw_zone.zone.files
    where table_name = '{{ raw_table }}' {{- ' and is_new' if new }}
{%- endmacro %}
