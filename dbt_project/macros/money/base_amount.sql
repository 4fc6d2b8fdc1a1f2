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
