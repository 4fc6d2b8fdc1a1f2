{#
  What is recorded of the last builds of incremental models, by name: `version` of the rows, `inputs`
  and `code` that it was built from, and `changes_from`, the version that its changes lead away from.
  Models that were never built are left out.
#}
{% macro built_states(names) -%}
    {%- set states = {} -%}
    {%- set selects = [] -%}
    {%- for (name,) in rows_of(
        "select table_name[5:] from duckdb_tables() where schema_name = 'state' and table_name in ('of__" ~ names | join("', 'of__") ~ "')"
    ) -%}
        {%- do selects.append(
            "select '" ~ name ~ "', version, code, inputs, changes_from from " ~ state_of(name)
        ) -%}
    {%- endfor -%}
    {%- for name, version, code, inputs, changes_from
        in (rows_of(selects | join(' union all ')) if selects else []) -%}
        {%- do states.update({name: {
            'version': version, 'code': code, 'inputs': fromjson(inputs), 'changes_from': changes_from,
        }}) -%}
    {%- endfor -%}
    {%- do return(states) -%}
{%- endmacro %}
