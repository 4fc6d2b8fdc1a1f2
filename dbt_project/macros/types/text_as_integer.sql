{# The 64-bit integer that a text names: digits, a sign, and `.0` as some exporters write. #}
{% macro text_as_integer(value) -%}
    {{ return(adapter.dispatch('text_as_integer', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__text_as_integer(value) -%}
    case
        when regexp_matches({{ value }}, '^[+-]?[0-9]+([.]0+)?$')
            then try_cast(regexp_replace({{ value }}, '[.]0+$', '') as bigint)
    end
{%- endmacro %}

{% macro spark__text_as_integer(value) -%}
    case
        when {{ value }} rlike r'^[+-]?[0-9]+([.]0+)?\z'
            then try_cast(regexp_replace({{ value }}, r'[.]0+\z', '') as bigint)
    end
{%- endmacro %}
