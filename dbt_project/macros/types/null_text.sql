{# No text, with the type of one. #}
{% macro null_text() -%}
    cast(null as {{ dbt.type_string() }})
{%- endmacro %}
