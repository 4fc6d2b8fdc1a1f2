{# A relation of the five period grains. #}
{% macro period_grains() -%}
    {%- for grain in ['day', 'week', 'month', 'quarter', 'year'] %}
    select '{{ grain }}' as period_grain
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
{%- endmacro %}
