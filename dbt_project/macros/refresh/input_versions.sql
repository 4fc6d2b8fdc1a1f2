{#
  A version of each input of this model, by name; the same version, the same rows. Incremental
  models state theirs, a raw table's is its list of files, any other's comes from its rows.
#}
{% macro input_versions() -%}
    {%- set versions = {} -%}
    {%- for unique_id in model.depends_on.nodes -%}
        {%- set parts = unique_id.split('.') -%}
        {%- if parts[0] == 'source' and config.get('materialized') == 'new_files' -%}
            {%- do versions.update({parts[2] ~ '.' ~ parts[3]: version_of_files(parts[2] ~ '.' ~ parts[3])}) -%}
        {%- elif parts[0] == 'source' -%}
            {%- do versions.update({parts[2] ~ '.' ~ parts[3]: content_of(source(parts[2], parts[3]))}) -%}
        {%- else -%}
            {%- set input = graph.nodes[unique_id] -%}
            {%- set stated = built_state(input.name) if records_changes(input) else {} -%}
            {%- do versions.update({input.name: stated.version or content_of(input.relation_name)}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(versions) -%}
{%- endmacro %}

{# Whether a model states a version, and which of its rows went and came. #}
{% macro records_changes(node) -%}
    {%- do return(node.config.materialized in ['new_files', 'touched_keys', 'tracked_table']) -%}
{%- endmacro %}
