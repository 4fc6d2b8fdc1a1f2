{#
  The decimal that a text names, rounded half away from zero to the type's scale;
  NULL when it names none or one beyond the type.
#}
{% macro text_as_decimal(value, data_type) -%}
    {{ return(adapter.dispatch('text_as_decimal', 'voronka')(value, data_type)) }}
{%- endmacro %}

{% macro duckdb__text_as_decimal(value, data_type) -%}
    {#-
      The engine misreads exponents (5e-17 is 0.0001 to it), so the point is moved in
      the text. Beyond 199 places either way any value is none or nothing.
    -#}
    {%- set digits -%}
        repeat('0', 199) || replace(regexp_extract({{ value }}, '[0-9.]+'), '.', '')
        || repeat('0', 199)
    {%- endset -%}
    {%- set point -%}
        199 + length(regexp_extract({{ value }}, '[0-9]+')) + cast(greatest(-199, least(199,
            try_cast(regexp_extract({{ value }}, '[eE](.+)$', 1) as double)
        )) as integer)
    {%- endset -%}
    case
        when regexp_matches({{ value }}, '^[+-]?[0-9]+([.][0-9]+)?$')
            then try_cast({{ value }} as {{ data_type }})
        when regexp_matches({{ value }}, '^[+-]?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]+$')
            then try_cast(
                regexp_extract({{ value }}, '^-?')
                || substr({{ digits }}, 1, {{ point }}) || '.'
                || substr({{ digits }}, {{ point }} + 1)
                as {{ data_type }}
            )
    end
{%- endmacro %}

{% macro spark__text_as_decimal(value, data_type) -%}
    {#- The engine reads exponents, but writes out the zeros of 1e-999999999. -#}
    {%- set digits -%}
        repeat('0', 199) || replace(regexp_extract({{ value }}, '[0-9.]+', 0), '.', '')
        || repeat('0', 199)
    {%- endset -%}
    {%- set point -%}
        199 + length(regexp_extract({{ value }}, '[0-9]+', 0)) + cast(greatest(-199, least(199,
            try_cast(regexp_extract({{ value }}, '[eE](.+)$', 1) as double)
        )) as integer)
    {%- endset -%}
    case
        when {{ value }} rlike r'^[+-]?[0-9]+([.][0-9]+)?\z'
            then try_cast({{ value }} as {{ data_type }})
        when {{ value }} rlike r'^[+-]?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]+\z'
            then try_cast(
                regexp_extract({{ value }}, '^-?', 0)
                || substr({{ digits }}, 1, {{ point }}) || '.'
                || substr({{ digits }}, {{ point }} + 1)
                as {{ data_type }}
            )
    end
{%- endmacro %}
