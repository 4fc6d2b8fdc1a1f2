{#
  What was remembered of this node and its parents when they were built: by name, the
  version of its rows and, of this node, the code and the parents' versions it was made
  from. Where a version is the same, so are the rows. What nobody remembers (seeds,
  sources) gets a version from its rows; a raw table from its list of files. `namesakes` are
  relations of this name in other schemas: the model has moved from there.
#}
{% macro built_state(raw_table=none) -%}
    {%- set parents = [] -%}
    {%- set state = {'parents': {}, 'namesakes': []} -%}
    {%- for unique_id in model.depends_on.nodes -%}
        {%- set parts = unique_id.split('.') -%}
        {%- if parts[0] != 'source' -%}
            {%- do parents.append(parts[2]) -%}
        {%- elif parts[2] ~ '.' ~ parts[3] == raw_table -%}
            {%- do state.parents.update({raw_table: listed_files(raw_table)}) -%}
        {%- else -%}
            {%- do state.parents.update({
                parts[2] ~ '.' ~ parts[3]: content_of(source(parts[2], parts[3]))
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name, schema_name, kind, text in rows_of(
        "select table_name, schema_name, 'table', coalesce(comment, '{}') from duckdb_tables()
        where database_name = current_database() and schema_name != 'state'
            and table_name in ('" ~ (parents + [model.alias]) | join("', '") ~ "')
        union all
        select view_name, schema_name, 'view', coalesce(comment, '{}') from duckdb_views()
        where database_name = current_database()
            and view_name in ('" ~ (parents + [model.alias]) | join("', '") ~ "')"
    ) -%}
        {%- set remembered = fromjson(text, {}) -%}
        {%- if name == model.alias and schema_name != model.schema -%}
            {%- do state.namesakes.append(kind ~ ' ' ~ schema_name ~ '.' ~ name) -%}
        {%- elif name == model.alias -%}
            {%- do state.update({'built': remembered}) -%}
        {%- else -%}
            {%- do state.parents.update({
                name: remembered.version or content_of(schema_name ~ '.' ~ name)
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(state) -%}
{%- endmacro %}
