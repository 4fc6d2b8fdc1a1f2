{# States that a table which is made as a whole also tells the rows that went and came. #}
{% macro tells_changes() -%}
    /*refresh {{ tojson({'tells_changes': true}) }} refresh*/
{%- endmacro %}
