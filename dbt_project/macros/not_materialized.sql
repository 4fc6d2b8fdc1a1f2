{#
  Before a CTE that is read twice and costs more to copy than to read again: `with x as {{ ... }} (`.
  Spark never copies one, and knows no such word.
#}
{% macro not_materialized() -%}
    {{ return(adapter.dispatch('not_materialized', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__not_materialized() -%}
    not materialized
{%- endmacro %}

{% macro spark__not_materialized() -%}
    {#- Nothing to say. -#}
{%- endmacro %}
