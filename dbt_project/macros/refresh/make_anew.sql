{# The rows of a model, in the order of columns that its contract gives. #}
{% macro contracted(sql) -%}
    {%- if config.get('contract').enforced -%}
        select {{ model.columns.values() | map(attribute='name') | join(', ') }} from ({{ sql }})
    {%- else -%}
        {{ sql }}
    {%- endif -%}
{%- endmacro %}

{# SQL that makes a whole table. #}
{% macro make_anew(target, plan) -%}
    drop table if exists {{ changes_of(model.alias) }};
    {%- if plan.stated.raw_table %}
    create or replace table {{ files_read_of(plan.stated.raw_table) }} as
    {{ files_listed_of(plan.stated.raw_table) }};
    {%- endif %}
    create or replace table {{ target }} as
    {{ contracted(compiled_code) }}
{%- endmacro %}

{# SQL that makes a whole table and keeps which rows went and came. #}
{% macro make_anew_and_tell(target) -%}
    create or replace temp table recomputed as
    {{ contracted(compiled_code) }};
    create or replace table {{ changes_of(model.alias) }} as
    {{ differing_rows(target, 'recomputed') }};
    create or replace table {{ target }} as from recomputed;
    drop table recomputed
{%- endmacro %}
