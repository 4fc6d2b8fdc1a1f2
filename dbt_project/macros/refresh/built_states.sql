{#
  What is recorded of the last builds of incremental models, by name: `version` of the rows, `inputs`
  and `code` that it was built from, and `changes_from`, the version that its changes lead away from.
  Models that were never built are left out.
#}
{% macro built_states(names) -%}
    {{ return(adapter.dispatch('built_states', 'voronka')(names)) }}
{%- endmacro %}

{% macro duckdb__built_states(names) -%}
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

{# There a table carries its state as properties: it goes with the table. #}
{% macro spark__built_states(names) -%}
    {%- set states = {} -%}
    {%- for name in names -%}
        {%- set relation = relation_of(name) -%}
        {%- set stated = {'inputs': {}} -%}
        {%- for key, value in (rows_of('show tblproperties ' ~ relation) if is_table(relation) else []) -%}
            {%- if key.startswith('voronka.input.') -%}
                {%- do stated.inputs.update({key[14:]: value}) -%}
            {%- elif key.startswith('voronka.') -%}
                {%- do stated.update({key[8:]: value}) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if stated.version -%}
            {%- do states.update({name: stated}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(states) -%}
{%- endmacro %}

{# The relation of this model or of one of its inputs. #}
{% macro relation_of(name) -%}
    {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes and graph.nodes[unique_id].name == name -%}
        {%- set node = graph.nodes[unique_id] -%}
        {%- do return(api.Relation.create(
            database=node.database, schema=node.schema, identifier=node.alias, type='table'
        )) -%}
    {%- endfor -%}
    {%- do return(this.incorporate(type='table')) -%}
{%- endmacro %}
