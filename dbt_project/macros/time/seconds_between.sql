{# Whole seconds from one instant to another, cut down and never below 0. #}
{% macro seconds_between(since, until) -%}
    {{ return(adapter.dispatch('seconds_between', 'voronka')(since, until)) }}
{%- endmacro %}

{% macro duckdb__seconds_between(since, until) -%}
    case
        when {{ since }} is not null and {{ until }} is not null
            then greatest(date_sub('second', {{ since }}, {{ until }}), 0)
    end
{%- endmacro %}

{% macro spark__seconds_between(since, until) -%}
    case
        when {{ since }} is not null and {{ until }} is not null
            then greatest(timestampdiff(second, {{ since }}, {{ until }}), 0)
    end
{%- endmacro %}
