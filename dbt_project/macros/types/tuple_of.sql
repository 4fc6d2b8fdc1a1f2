{#
  Several values as one, which is ordered by the first, then by the next.
#}
{% macro tuple_of(values) -%}
    {{ return(adapter.dispatch('tuple_of', 'voronka')(values)) }}
{%- endmacro %}

{% macro duckdb__tuple_of(values) -%}
    row({{ values | join(', ') }})
{%- endmacro %}

{% macro spark__tuple_of(values) -%}
    struct({{ values | join(', ') }})
{%- endmacro %}
