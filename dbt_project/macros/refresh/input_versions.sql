{#
  A version of each input of this model, by name; the same version, the same rows. Incremental
  models state theirs (`states`), a raw table's is its list of files, any other's comes from its rows.
#}
{% macro input_versions(states) -%}
    {%- set versions = {} -%}
    {%- for unique_id in model.depends_on.nodes -%}
        {%- set parts = unique_id.split('.') -%}
        {%- if parts[0] == 'source' and config.get('materialized') == 'new_files' -%}
            {%- do versions.update({parts[2] ~ '.' ~ parts[3]: version_of_files(parts[2] ~ '.' ~ parts[3])}) -%}
        {%- elif parts[0] == 'source' -%}
            {%- do versions.update({parts[2] ~ '.' ~ parts[3]: content_of(source(parts[2], parts[3]))}) -%}
        {%- else -%}
            {%- set input = graph.nodes[unique_id] -%}
            {%- set stated = states.get(input.name, {}) -%}
            {%- do versions.update({input.name: stated.version or content_of(input.relation_name)}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(versions) -%}
{%- endmacro %}

{# The inputs of this model that state a version, and this model. #}
{% macro names_with_state() -%}
    {%- set names = [model.name] -%}
    {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes
        and graph.nodes[unique_id].config.materialized in materializations_with_state() -%}
        {%- do names.append(graph.nodes[unique_id].name) -%}
    {%- endfor -%}
    {%- do return(names) -%}
{%- endmacro %}

{# Which materializations record what they were built from. #}
{% macro materializations_with_state() -%}
    {{ return(adapter.dispatch('materializations_with_state', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__materializations_with_state() -%}
    {%- do return(['new_files', 'touched_keys', 'tracked_table']) -%}
{%- endmacro %}

{# A job is dear there: whole tables follow their inputs, too, and none is hashed to tell. #}
{% macro spark__materializations_with_state() -%}
    {%- do return(['new_files', 'touched_keys', 'tracked_table', 'table']) -%}
{%- endmacro %}
