{#
  Before a CTE that is read twice and costs more to read again than to copy. Spark knows no such word.
#}
{% macro materialized() -%}
    {{ return(adapter.dispatch('materialized', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__materialized() -%}
    materialized
{%- endmacro %}

{% macro spark__materialized() -%}
    {#- Nothing to say. -#}
{%- endmacro %}
