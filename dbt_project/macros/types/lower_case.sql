{#
  A text in lower case, letter by letter: `Σ` is `σ` at the end of a word, too, and `İ` is `i`.
#}
{% macro lower_case(value) -%}
    {{ return(adapter.dispatch('lower_case', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__lower_case(value) -%}
    lower({{ value }})
{%- endmacro %}

{% macro spark__lower_case(value) -%}
    lower(translate({{ value }}, 'Σİ', 'σi'))
{%- endmacro %}
