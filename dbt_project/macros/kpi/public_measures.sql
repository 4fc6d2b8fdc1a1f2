{# The daily measures as a mart shows them, from a relation that stores them. #}
{% macro public_measures(relation) -%}
    {%- for measure in daily_measures() %}
        {% if measure == 'cycle_days_won' -%}
        {{ figure('cycle_days_won', relation) }} as cycle_days_won
        {%- else -%}
        {{ relation }}.{{ measure }}
        {%- endif -%}
        {{- ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
