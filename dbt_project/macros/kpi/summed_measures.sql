{# One `sum(measure) as measure` per stored measure, each keeping its type. #}
{% macro summed_measures() -%}
    {%- for measure in stored_measures() %}
        {{ summed(measure) }} as {{ measure }}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# A sum that stays what it adds: counts BIGINT, money with its kopecks. #}
{% macro summed(measure) -%}
    {%- if measure in ['won_amount', 'revenue', 'refunds', 'revenue_new', 'revenue_repeat'] -%}
        cast(sum({{ measure }}) as {{ type_money() }})
    {%- elif measure in ['talk_seconds', 'cycle_microseconds_won'] -%}
        cast({{ unbounded_sum(measure) }} as {{ type_total() }})
    {%- elif measure == 'evaluation_score' -%}
        cast(sum({{ measure }}) as decimal(38, 4))
    {%- else -%}
        cast(sum({{ measure }}) as bigint)
    {%- endif -%}
{%- endmacro %}
