{#
  How a table follows its parents in a refresh, stated at the top of its model: rows are
  made anew by their `key`. `touched_by` gives for a parent the SQL of the keys that a change
  in it may touch, from `changes` (the parent's rows that went and came) and `this` (the
  table as it was). A change in any other parent makes the whole table anew.
#}
{% macro rebuilt_by(key, touched_by) -%}
    {%- set keys = [key] if key is string else key -%}
    /*refresh {{ tojson({'key': keys, 'touched_by': touched_by}) }} refresh*/
{%- endmacro %}
