{#
  A table on Spark, rebuilt as a whole: nobody reads the build's schemas, so it is dropped first.
  Columns have the order and the types of the contract.
#}
{% macro build_whole_table(target) -%}
    {%- do drop_relation_of_any_kind(target) -%}
    {%- call statement('main') -%}
        create table {{ target }}
        {{ file_format_clause() }}
        as
        {{ in_stated_types(compiled_code) }}
    {%- endcall -%}
{%- endmacro %}

{% macro drop_relation_of_any_kind(target) -%}
    {%- set existing = load_cached_relation(target) -%}
    {%- if existing is not none -%}
        {%- call statement() -%} drop {{ existing.type }} if exists {{ target }} {%- endcall -%}
    {%- else -%}
        {%- call statement() -%} drop table if exists {{ target }} {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{# The rows of a model with the columns of its contract, each cast to the type that it states. #}
{% macro in_stated_types(sql) -%}
    {%- if config.get('contract').enforced -%}
        {%- set found = get_columns_in_query(sql) | sort -%}
        {%- set stated = model.columns.values() | map(attribute='name') | sort -%}
        {%- if found != stated -%}
            {%- do exceptions.raise_compiler_error(
                model.name ~ ' gives the columns ' ~ found | join(', ') ~ '; its contract states ' ~ stated | join(', ')
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

{# Spark's name of a type that a contract states as DuckDB spells it. #}
{% macro type_of_engine(data_type) -%}
    {%- set names = {
        'timestamp with time zone': 'timestamp', 'timestamp': 'timestamp_ntz', 'varchar': 'string',
        'varchar[]': 'array<string>', 'text': 'string', 'hugeint': 'decimal(38, 0)',
    } -%}
    {{ names.get(data_type | lower, data_type) }}
{%- endmacro %}

{% materialization table, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- do build_whole_table(target) -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization new_files, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do build_whole_table(target) -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization touched_keys, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do build_whole_table(target) -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% materialization tracked_table, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do build_whole_table(target) -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
