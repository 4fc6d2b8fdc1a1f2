{#
  An incremental table whose rows are rebuilt by key, where changes in its inputs touch them
  (`refresh_terms`). Which rows went and came is recorded for the tables that follow this one. The
  model limits its inputs with `where_touched`.
#}
{% materialization touched_keys, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- do drop_other_kind(target) -%}
    {%- set plan = refresh_plan() -%}
    {%- if plan.how == 'unchanged' -%}
        {%- do store_raw_result('main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') -%}
    {%- else -%}
        {%- call statement('main') -%}
            {%- if plan.how == 'keys' %}{{ find_touched_keys(target, plan) }}; {{ replace_touched_keys(target) }}
            {%- else %}
            drop table if exists {{ changes_of(model.name) }};
            create or replace table {{ target }} as
            {{ contracted(compiled_code) }}
            {%- endif %}
        {%- endcall -%}
        {%- if plan.how == 'whole' -%}
            {%- do check_contract('select * from ' ~ target) -%}
        {%- endif -%}
        {%- do record_state(plan, version_from(plan), has_changes=plan.how == 'keys') -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# SQL of the keys that the changed inputs touch. #}
{% macro find_touched_keys(target, plan) -%}
    create or replace temp table touched_keys as
    {{ touched_keys_query(target, plan) }}
{%- endmacro %}

{% macro touched_keys_query(target, plan) -%}
    {%- set terms = refresh_terms() -%}
    {%- set keys = terms.key | join(', ') -%}
    select distinct {{ keys }} from (
        {%- for name in plan.changed %}
        select {{ keys }} from (
            with this as (select * from {{ target }}), changes as (select * from {{ changes_of(name) }})
            {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes %},
            {{ graph.nodes[unique_id].name }} as (select * from {{ graph.nodes[unique_id].relation_name }})
            {%- endfor %}
            {{ terms.touched_by[name] }}
        )
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{# SQL that rebuilds the rows of the touched keys, and replaces those that differ. #}
{% macro replace_touched_keys(target) -%}
    {%- set keys = refresh_terms().key | join(', ') -%}
    create or replace temp table recomputed as
    {{ contracted(compiled_code) }};
    create or replace temp table replaced as
    from {{ target }} where ({{ keys }}) in (from touched_keys);
    create or replace table {{ changes_of(model.name) }} as
    {{ differing_rows('replaced', 'recomputed') }};
    delete from {{ target }}
    where ({{ keys }}) in (select {{ keys }} from {{ changes_of(model.name) }});
    insert into {{ target }} by name
    from recomputed where ({{ keys }}) in (select {{ keys }} from {{ changes_of(model.name) }});
    drop table touched_keys;
    drop table recomputed;
    drop table replaced
{%- endmacro %}
