{# The texts of a group in one, in the order of the texts. #}
{% macro joined_text(value, separator=', ') -%}
    {{ return(adapter.dispatch('joined_text', 'voronka')(value, separator)) }}
{%- endmacro %}

{% macro duckdb__joined_text(value, separator) -%}
    string_agg({{ value }}, '{{ separator }}' order by {{ value }})
{%- endmacro %}

{% macro spark__joined_text(value, separator) -%}
    listagg({{ value }}, '{{ separator }}') within group (order by {{ value }})
{%- endmacro %}
