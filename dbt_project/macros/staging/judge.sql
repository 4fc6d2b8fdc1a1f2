{#
  Every row of a raw table, read and judged by the raw contract:
    the contract's columns with their types;
    reasons      why the row is quarantined, as `column: rule`; empty: it is kept;
    is_whole     nothing would be wrong with the row even were it not deleted;
    bad_values   optional columns of a kept row whose value did not read;
    event_on     local date of the row's event, else of its load;
    given        the values as the exporter gave them, of quarantined rows only;
    _file        the file it came from.
#}
{% macro judge(source_name, table_name) %}
{{ config(materialized='new_files') }}
{%- set relation = source(source_name, table_name) -%}
{%- if not execute -%}
select * from {{ relation }}
{%- else -%}
{%- set contract = contract_of(source_name, table_name) -%}
{%- set columns = contract.columns -%}
{%- set given_types = {} -%}
{%- for column in adapter.get_columns_in_relation(relation) -%}
    {%- do given_types.update({column.name: column.dtype | upper}) -%}
{%- endfor -%}
{%- set verdicts = [] -%}
{%- set verdicts_on_deletion = [] -%}
{%- set bad_values = [] -%}
{%- set dates = [] -%}
{%- for column in columns | sort(attribute='name') -%}
    {%- do verdicts.append(verdict_on(column, contract.rules)) -%}
    {%- if column.is_key or column.name == '_loaded_at' -%}
        {%- do verdicts_on_deletion.append(verdict_on(column, contract.rules, alone=true)) -%}
    {%- endif -%}
    {%- do bad_values.append(bad_value_of(column)) -%}
{%- endfor -%}
{%- for column in columns if column.is_required and column.name != '_loaded_at' -%}
    {%- if column.data_type == 'timestamp' -%}
        {%- do dates.append(local_date(column.name)) -%}
    {%- elif column.data_type == 'date' -%}
        {%- do dates.append(column.name) -%}
    {%- endif -%}
{%- endfor -%}

with given as (

    select
        {%- for column in columns %}
        {{ column.name }} as {{ column.name }}__raw,
        {{ given_value(column.name, given_types[column.name]) }} as {{ column.name }}__given,
        {%- endfor %}
        _file
    from {{ raw_rows(source_name, table_name) }}

),

read as (

    select
        *,
        {%- for column in columns %}
        {{ read_column(column, kind_of_type(given_types[column.name]) == 'text') }} as {{ column.name }}__read
        {{- ',' if not loop.last }}
        {%- endfor %}
    from given

),

accepted as (

    select
        *,
        {%- for column in columns %}
        {{ accepted_value(column) }} as {{ column.name }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from read

),

judged as (

    select
        *,
        {{ text_list(verdicts | select | list) }} as all_reasons,
        {{ text_list(verdicts_on_deletion | select | list) }} as deletion_reasons,
        {{ text_list(bad_values | select | list) }} as all_bad_values
    from accepted

),

decided as (

    select
        *,
        case when is_deleted then deletion_reasons else all_reasons end as reasons
    from judged

),

final as (

    select
        {%- for column in columns %}
        {{ column.name }},
        {%- endfor %}
        reasons,
        {{ list_length('all_reasons') }} = 0 as is_whole,
        case when {{ list_length('reasons') }} = 0 then all_bad_values end as bad_values,
        coalesce({{ (dates[:1] + [local_date('_loaded_at')]) | join(', ') }}) as event_on,
        case
            when {{ list_length('reasons') }} > 0 then {{ given_values(columns, given_types) }}
        end as given,
        _file
    from decided

)

select * from final
{%- endif -%}
{% endmacro %}
