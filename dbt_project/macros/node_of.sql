{# The model or seed that a relation is, as dbt's graph describes it. Known only when models run. #}
{% macro node_of(relation) %}
    {%- for node in graph.nodes.values()
        if node.resource_type in ('model', 'seed') and node.relation_name == relation | string -%}
        {%- do return(node) -%}
    {%- endfor -%}
    {%- do exceptions.raise_compiler_error(relation ~ ' is no model and no seed') -%}
{% endmacro %}
