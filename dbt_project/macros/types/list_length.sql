{# How many items a list has. #}
{% macro list_length(items) -%}
    {{ return(adapter.dispatch('list_length', 'voronka')(items)) }}
{%- endmacro %}

{% macro duckdb__list_length(items) -%}
    len({{ items }})
{%- endmacro %}

{% macro spark__list_length(items) -%}
    cast(array_size({{ items }}) as bigint)
{%- endmacro %}
