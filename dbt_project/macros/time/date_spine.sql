{# Every day from one date up to, not including, another, both columns of a one-row relation. #}
{% macro date_spine(relation, first_day, end_day) -%}
    {{ return(adapter.dispatch('date_spine', 'voronka')(relation, first_day, end_day)) }}
{%- endmacro %}

{% macro duckdb__date_spine(relation, first_day, end_day) -%}
    select cast(unnest(generate_series(
        {{ first_day }}, {{ end_day }} - interval 1 day, interval 1 day
    )) as date) as date_day
    from {{ relation }}
{%- endmacro %}

{% macro spark__date_spine(relation, first_day, end_day) -%}
    {#- A sequence from a later day to an earlier one is an error. -#}
    select explode(case
        when {{ first_day }} < {{ end_day }}
            then sequence({{ first_day }}, date_sub({{ end_day }}, 1), interval '1' day)
    end) as date_day
    from {{ relation }}
{%- endmacro %}
