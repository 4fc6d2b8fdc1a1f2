{# The grain that a model's or seed's YAML states under `config.meta.grain`. Known only when models run. #}
{% macro grain_of(relation) %}
    {%- for node in graph.nodes.values()
        if node.resource_type in ('model', 'seed') and node.relation_name == relation | string -%}
        {%- do return(node.config.meta.grain) -%}
    {%- endfor -%}
    {%- do exceptions.raise_compiler_error(relation ~ ' states no config.meta.grain') -%}
{% endmacro %}
