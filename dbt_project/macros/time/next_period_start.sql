{# First day of the period after the one that begins on `start`. #}
{% macro next_period_start(grain, start) -%}
    {{ return(adapter.dispatch('next_period_start', 'voronka')(grain, start)) }}
{%- endmacro %}

{% macro duckdb__next_period_start(grain, start) -%}
    cast({{ start }} + case {{ grain }}
        when 'day' then interval 1 day
        when 'week' then interval 7 day
        when 'month' then interval 1 month
        when 'quarter' then interval 3 month
        when 'year' then interval 1 year
    end as date)
{%- endmacro %}

{% macro spark__next_period_start(grain, start) -%}
    case {{ grain }}
        when 'day' then date_add({{ start }}, 1)
        when 'week' then date_add({{ start }}, 7)
        when 'month' then add_months({{ start }}, 1)
        when 'quarter' then add_months({{ start }}, 3)
        when 'year' then add_months({{ start }}, 12)
    end
{%- endmacro %}
