{#
  What staging makes of a column's type: `text`, `wall_time` (a time without a zone), `instant`, or
  `value` for what it takes as it is. `data_type` is the engine's name of the type, in upper case.
#}
{% macro kind_of_type(data_type) -%}
    {{ return(adapter.dispatch('kind_of_type', 'voronka')(data_type)) }}
{%- endmacro %}

{% macro duckdb__kind_of_type(data_type) -%}
    {{ return({
        'VARCHAR': 'text', 'TIMESTAMP': 'wall_time', 'TIMESTAMP WITH TIME ZONE': 'instant',
    }.get(data_type, 'value')) }}
{%- endmacro %}

{% macro spark__kind_of_type(data_type) -%}
    {{ return({
        'STRING': 'text', 'TIMESTAMP_NTZ': 'wall_time', 'TIMESTAMP': 'instant',
    }.get(data_type, 'value')) }}
{%- endmacro %}
