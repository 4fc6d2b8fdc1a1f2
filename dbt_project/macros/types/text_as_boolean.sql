{# The truth value that a text names: a word, or a number that equals 1 or 0 (`1.0` of exporters without booleans). #}
{% macro text_as_boolean(value) -%}
    {{ return(adapter.dispatch('text_as_boolean', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__text_as_boolean(value) -%}
    {#-
      Only numbers that could be 1 are asked as a double, which rounds others to it:
      1.00000000000000000001 is not 1.
    -#}
    {%- set zeros = '0+([.]0+)?([eE][+-]?[0-9]+)?' -%}
    {%- set power_of_ten = '(0*10*([.]0+)?|0+[.]0*10*)([eE][+-]?[0-9]+)?' -%}
    case
        when lower({{ value }}) in ('true', 't', 'yes', 'y', '1') then true
        when lower({{ value }}) in ('false', 'f', 'no', 'n', '0') then false
        when regexp_full_match({{ value }}, '[+-]?{{ zeros }}') then false
        when
            regexp_full_match({{ value }}, '[+]?{{ power_of_ten }}')
            and try_cast({{ value }} as double) = 1 then true
    end
{%- endmacro %}

{% macro spark__text_as_boolean(value) -%}
    {%- set zeros = '0+([.]0+)?([eE][+-]?[0-9]+)?' -%}
    {%- set power_of_ten = '(0*10*([.]0+)?|0+[.]0*10*)([eE][+-]?[0-9]+)?' -%}
    case
        when lower({{ value }}) in ('true', 't', 'yes', 'y', '1') then true
        when lower({{ value }}) in ('false', 'f', 'no', 'n', '0') then false
        when {{ value }} rlike r'^[+-]?{{ zeros }}\z' then false
        when
            {{ value }} rlike r'^[+]?{{ power_of_ten }}\z'
            and try_cast({{ value }} as double) = 1 then true
    end
{%- endmacro %}
