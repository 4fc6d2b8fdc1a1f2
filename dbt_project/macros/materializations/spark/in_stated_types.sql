{# The rows of a model with the columns of its contract, each cast to the type that it states. #}
{% macro in_stated_types(sql) -%}
    {%- if config.get('contract').enforced -%}
        {%- set found = get_columns_in_query(sql) | sort -%}
        {%- set stated = model.columns.values() | map(attribute='name') | sort -%}
        {%- if found != stated -%}
            {%- do exceptions.raise_compiler_error(
                model.name ~ ' gives the columns ' ~ found | join(', ')
                ~ '; its contract states ' ~ stated | join(', ')
            ) -%}
        {%- endif -%}
        select
        {%- for column in model.columns.values() %}
            cast({{ column.name }} as {{ type_of_engine(column.data_type) }}) as {{ column.name }}
            {{- ',' if not loop.last }}
        {%- endfor %}
        from ({{ sql }})
    {%- else -%}
        {{ sql }}
    {%- endif -%}
{%- endmacro %}

{# Spark's name of a type, which contracts state as DuckDB spells it. #}
{% macro type_of_engine(data_type) -%}
    {%- set names = {
        'timestamp with time zone': 'timestamp', 'timestamp': 'timestamp_ntz', 'varchar': 'string',
        'varchar[]': 'array<string>', 'text': 'string', 'hugeint': 'decimal(38, 0)',
    } -%}
    {{ names.get(data_type | lower, data_type) }}
{%- endmacro %}
