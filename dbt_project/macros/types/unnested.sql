{# One row per item of a list; none for an empty list or NULL. #}
{% macro unnested(items) -%}
    {{ return(adapter.dispatch('unnested', 'voronka')(items)) }}
{%- endmacro %}

{% macro duckdb__unnested(items) -%}
    unnest({{ items }})
{%- endmacro %}

{% macro spark__unnested(items) -%}
    explode({{ items }})
{%- endmacro %}
