{# A rate over fewer cases than this moves by chance more than anybody should act on. #}
{% macro small_sample() -%}
    20
{%- endmacro %}
