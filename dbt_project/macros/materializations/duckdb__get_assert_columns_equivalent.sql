{#
  Whether a model gives the columns that its contract states: two lists that are equal.
  dbt compares column by column and macro by macro, which takes as long as to build the
  model; it is asked where the lists differ, for its message, and where a type is missing.
#}
{% macro duckdb__get_assert_columns_equivalent(sql) -%}
    {%- set stated_columns = model.columns.values() | list -%}
    {%- set types = stated_columns | map(attribute='data_type') | list -%}
    {%- set empty_row -%}
        select
        {%- for column in stated_columns %}
            cast(null as {{ column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {%- set vague = types | select('in', [none, 'decimal', 'numeric', 'number']) | list -%}
    {%- set is_complete = types and not vague -%}
    {%- set lists = [] -%}
    {%- for query in [sql, empty_row] if is_complete -%}
        {%- set columns = [] -%}
        {%- for column in adapter.get_column_schema_from_query(query) -%}
            {%- do columns.append(column.name ~ ' ' ~ column.dtype) -%}
        {%- endfor -%}
        {%- do lists.append(columns | sort) -%}
    {%- endfor -%}
    {%- if not is_complete or lists[0] != lists[1] -%}
        {{ assert_columns_equivalent(sql) }}
    {%- endif -%}
{%- endmacro %}
