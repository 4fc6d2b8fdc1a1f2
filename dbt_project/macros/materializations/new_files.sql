{#
  A table that reads one raw table row by row: where only files came, their rows are added. The model
  reads its source through `raw_rows`.
#}
{% materialization new_files, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set raw_table = model.sources[0] | join('.') -%}
    {{ run_hooks(pre_hooks) }}
    {%- do drop_other_kind(target) -%}
    {%- set plan = refresh_plan() -%}
    {%- if plan.how == 'unchanged' -%}
        {%- do store_raw_result('main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') -%}
    {%- else -%}
        {%- call statement('main') -%}
            {%- if plan.how == 'new_files' %}
            create or replace table {{ changes_of(model.name) }} as
            {{ compiled_code }};
            insert into {{ target }} by name from {{ changes_of(model.name) }};
            {%- else %}
            drop table if exists {{ changes_of(model.name) }};
            create or replace table {{ target }} as
            {{ compiled_code }};
            {%- endif %}
            create or replace table {{ files_read_of(raw_table) }} as
            {{ files_listed_of(raw_table) }}
        {%- endcall -%}
        {%- do record_state(plan, version_from(plan), has_changes=plan.how == 'new_files') -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
