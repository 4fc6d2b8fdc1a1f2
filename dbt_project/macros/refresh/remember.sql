{# SQL that remembers with a relation what it was made from. #}
{% macro remember(relation, state, kind='table') -%}
    comment on {{ kind }} {{ relation }} is '{{ tojson(state, sort_keys=true).replace("'", "''") }}'
{%- endmacro %}
