{# How many there are, in words: `1 row`, `1,234 rows`. #}
{% macro counted(number, noun, plural=none) -%}
    {{ thousands(number) }} || case {{ number }} when 1 then ' {{ noun }}' else ' {{ plural or noun ~ "s" }}' end
{%- endmacro %}
