{# The truth value that a text names: a word, or a number that equals 1 or 0 (`1.0` of exporters without booleans). #}
{% macro text_as_boolean(value) -%}
    {{ return(adapter.dispatch('text_as_boolean', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__text_as_boolean(value) -%}
    {#- The engine also reads `1_0` and `inf` as numbers. -#}
    {%- set number -%}
        case
            when regexp_matches({{ value }}, '^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$')
                then try_cast({{ value }} as double)
        end
    {%- endset -%}
    case
        when lower({{ value }}) in ('true', 't', 'yes', 'y', '1') then true
        when lower({{ value }}) in ('false', 'f', 'no', 'n', '0') then false
        when ({{ number }}) = 1 then true
        when ({{ number }}) = 0 then false
    end
{%- endmacro %}
