{# The join condition of two relations by their common grain. #}
{% macro same_cell(left, right, columns=['period_grain', 'period_start', 'manager_id']) -%}
    {%- for column in columns -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }}
        {{- ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
