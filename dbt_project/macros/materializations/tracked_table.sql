{#
  A whole table that also records which of its rows went and came since its last build, for models
  which follow it by keys.
#}
{% materialization tracked_table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- do check_contract(compiled_code) -%}
    {{ run_hooks(pre_hooks) }}
    {%- do drop_other_kind(target) -%}
    {%- set is_there = is_table(this) -%}
    {%- set plan = {'built': built_states([model.name]).get(model.name, {}) if is_there else {}, 'inputs': {}, 'code': ''} -%}
    {%- call statement('main') -%}
        create or replace temp table recomputed as
        {{ contracted(compiled_code) }};
        create or replace table {{ changes_of(model.name) }} as
        {{ differing_rows(target if is_there else '(from recomputed limit 0)', 'recomputed') }};
        create or replace table {{ target }} as from recomputed;
        drop table recomputed
    {%- endcall -%}
    {%- do record_state(plan, content_of(target), has_changes=true) -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
