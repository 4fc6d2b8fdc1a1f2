{#
  An amount in base currency, rounded half away from zero to kopecks. Multiplied
  in 38 digits: 18 overflow above a million.
#}
{% macro base_amount(amount, rate) -%}
    {{ return(adapter.dispatch('base_amount', 'voronka')(amount, rate)) }}
{%- endmacro %}

{% macro duckdb__base_amount(amount, rate) -%}
    try_cast(round(cast({{ amount }} as decimal(38, 4)) * {{ rate }}, 2) as decimal(18, 2))
{%- endmacro %}

{% macro spark__base_amount(amount, rate) -%}
    {#- 37 digits, which hold every product: with 38 and more the engine would round twice. -#}
    try_cast(
        round(cast({{ amount }} as decimal(18, 4)) * cast({{ rate }} as decimal(18, 8)), 2)
        as decimal(18, 2)
    )
{%- endmacro %}
