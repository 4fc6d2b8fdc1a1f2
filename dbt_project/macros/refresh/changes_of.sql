{# The table that keeps which rows of this model or an input went and came when it was last changed. #}
{% macro changes_of(name) -%}
    {%- do return(state_schema(name) ~ '.changes_of__' ~ name) -%}
{%- endmacro %}

{# The database that this model or one of its inputs lives in. #}
{% macro database_of(name) -%}
    {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes and graph.nodes[unique_id].name == name -%}
        {%- do return(graph.nodes[unique_id].database) -%}
    {%- endfor -%}
    {%- do return(this.database) -%}
{%- endmacro %}
