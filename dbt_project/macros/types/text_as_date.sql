{# The date that a text names, or the date part of a timestamp as written. #}
{% macro text_as_date(value) -%}
    {{ return(adapter.dispatch('text_as_date', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__text_as_date(value) -%}
    case
        when regexp_matches({{ value }}, '{{ timestamp_grammar() }}')
            then try_cast(left({{ value }}, 10) as date)
    end
{%- endmacro %}

{% macro spark__text_as_date(value) -%}
    {#- Before `\z`, since `$` also stands before a last line end. -#}
    case
        when {{ value }} rlike r'{{ timestamp_grammar() }}\z'
            then try_cast(left({{ value }}, 10) as date)
    end
{%- endmacro %}
