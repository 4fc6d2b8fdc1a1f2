{#
  A value of one of the contract's types as people read it; instants in UTC, as `2026-03-01 10:00:00+00`.
#}
{% macro value_as_text(value, data_type) -%}
    {{ return(adapter.dispatch('value_as_text', 'voronka')(value, data_type)) }}
{%- endmacro %}

{% macro duckdb__value_as_text(value, data_type) -%}
    {{ value if data_type == 'text' else 'cast(' ~ value ~ ' as varchar)' }}
{%- endmacro %}

{% macro spark__value_as_text(value, data_type) -%}
    {%- if data_type == 'text' -%}
        {{ value }}
    {%- elif data_type == 'timestamp' -%}
        concat(cast({{ value }} as string), '+00')
    {%- else -%}
        cast({{ value }} as string)
    {%- endif -%}
{%- endmacro %}
