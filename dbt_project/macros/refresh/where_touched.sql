{#
  Keeps an input of a model to the keys that are made anew (`rebuilt_by`); all of it where
  the whole table is. A comment until then, so that one compiled text serves both.
#}
{% macro where_touched(columns) -%}
    /*touched: where ({{ columns }}) in (from touched_keys) :touched*/
{%- endmacro %}

{#
  The SQL of a model for the touched keys alone. Inputs that are better read twice than copied
  when all their rows count are copied: a few rows are sooner kept than found again.
#}
{% macro for_touched_keys(sql) -%}
    {%- set touched = sql.replace('/*touched: ', '').replace(' :touched*/', '') -%}
    {%- do return(touched.replace(' as not materialized (', ' as (')) -%}
{%- endmacro %}
