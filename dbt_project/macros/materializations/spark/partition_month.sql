{#
  The day by whose months a large table is divided, so that a build rewrites only the months that
  changed: that of its Parquet copy (`parquet_month`), else `partition_month`, in `config.meta`.
  Empty: the table is one.
#}
{% macro partition_day() -%}
    {%- set meta = config.get('meta') or {} -%}
    {%- do return(meta.get('parquet_month') or meta.get('partition_month') or '') -%}
{%- endmacro %}

{% macro partition_clause() -%}
    {{ 'partitioned by (partition_month)' if partition_day() }}
{%- endmacro %}

{# Rows with the month that says where they are stored. #}
{% macro with_partition_month(sql) -%}
    {%- if partition_day() -%}
        select *, {{ partition_month() }} as partition_month from ({{ sql }})
    {%- else -%}
        {{ sql }}
    {%- endif -%}
{%- endmacro %}

{# A text, and no underscore before its name: Hive's metastore finds partitions by nothing else everywhere. #}
{% macro partition_month() -%}
    date_format({{ partition_day() }}, 'yyyy-MM')
{%- endmacro %}
