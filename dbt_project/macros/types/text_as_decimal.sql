{#
  The decimal that a text names, rounded half away from zero to the type's scale;
  NULL when it names none or one beyond the type.
#}
{% macro text_as_decimal(value, data_type) -%}
    {{ return(adapter.dispatch('text_as_decimal', 'voronka')(value, data_type)) }}
{%- endmacro %}

{% macro duckdb__text_as_decimal(value, data_type) -%}
    {#- A long mantissa with an exponent reads only through the wider type. -#}
    case
        when regexp_matches({{ value }}, '^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$')
            then coalesce(
                try_cast({{ value }} as {{ data_type }}),
                try_cast(try_cast({{ value }} as decimal(38, 20)) as {{ data_type }})
            )
    end
{%- endmacro %}
