{#
  What is recorded of an incremental model's last build: `version` of its rows, `inputs` and `code`
  that it was built from, and `changes_from`, the version that its changes lead away from. Empty
  where it was never built.
#}
{% macro built_state(name) -%}
    {%- set is_there = rows_of(
        "select count(*) from duckdb_tables() where database_name = current_database()
            and schema_name = 'state' and table_name = 'of__" ~ name ~ "'"
    )[0][0] -%}
    {%- if not is_there -%}
        {%- do return({}) -%}
    {%- endif -%}
    {%- set row = rows_of('select version, code, inputs, changes_from from ' ~ state_of(name))[0] -%}
    {%- do return({
        'version': row[0], 'code': row[1], 'inputs': fromjson(row[2]), 'changes_from': row[3],
    }) -%}
{%- endmacro %}
