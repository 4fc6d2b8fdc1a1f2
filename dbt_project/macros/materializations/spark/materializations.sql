{# Every table follows its inputs: where none has changed, and the project neither, it is left alone. #}
{% materialization table, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- set plan = refresh_plan() -%}
    {%- if plan.how == 'unchanged' -%}
        {%- do store_raw_result('main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') -%}
    {%- else -%}
        {%- do build_whole_table(target, compiled_code, plan, version_from(plan)) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# See `new_files` of the other engine: rows of new files are appended. #}
{% materialization new_files, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set raw_table = model.sources[0] | join('.') -%}
    {{ run_hooks(pre_hooks) }}
    {%- set plan = refresh_plan() -%}
    {%- if plan.how == 'unchanged' -%}
        {%- do store_raw_result('main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') -%}
    {%- elif plan.how == 'new_files' -%}
        {%- do write_aside(changes_of(model.name), compiled_code) -%}
        {%- do forget_state() -%}
        {%- call statement('main') -%}
            insert into {{ target }} select * from {{ changes_of(model.name) }}
        {%- endcall -%}
        {%- do write_aside(files_read_of(raw_table), files_listed_of(raw_table)) -%}
        {%- do record_state(plan, version_from(plan), has_changes=true) -%}
    {%- else -%}
        {%- do write_aside(files_read_of(raw_table), files_listed_of(raw_table)) -%}
        {%- do build_whole_table(target, compiled_code, plan, version_from(plan)) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# See `touched_keys` of the other engine: rows are replaced by key, in the months they lie in. #}
{% materialization touched_keys, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- set plan = refresh_plan() -%}
    {%- if plan.how == 'unchanged' -%}
        {%- do store_raw_result('main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') -%}
    {%- elif plan.how == 'keys' -%}
        {%- set keys = refresh_terms().key -%}
        {%- set recomputed = state_schema(model.name) ~ '.recomputed__' ~ model.name -%}
        {%- set touched = touched_keys_of_build() -%}
        {%- do write_aside(touched, touched_keys_query(target, plan)) -%}
        {%- do write_aside(recomputed, in_stated_types(compiled_code)) -%}
        {%- set before = 'select * ' ~ ('except (partition_month) ' if partition_day()) ~ 'from ' ~ target
            ~ ' where (' ~ keys | join(', ') ~ ') in (select * from ' ~ touched ~ ')' -%}
        {%- do write_aside(changes_of(model.name), differing_rows('(' ~ before ~ ')', recomputed)) -%}
        {%- do replace_changed_rows(target, recomputed, keys) -%}
        {%- do record_state(plan, version_from(plan), has_changes=true) -%}
    {%- else -%}
        {%- do build_whole_table(target, compiled_code, plan, version_from(plan)) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# See `tracked_table` of the other engine: a whole table that tells what changed in it. #}
{% materialization tracked_table, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- set plan = refresh_plan() -%}
    {%- if plan.how == 'unchanged' -%}
        {%- do store_raw_result('main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') -%}
    {%- elif plan.built.version -%}
        {%- set recomputed = state_schema(model.name) ~ '.recomputed__' ~ model.name -%}
        {%- do write_aside(recomputed, in_stated_types(compiled_code)) -%}
        {%- do write_aside(changes_of(model.name), differing_rows(target, recomputed)) -%}
        {%- do drop_relation_of_any_kind(target) -%}
        {%- call statement('main') -%}
            create table {{ target }} {{ file_format_clause() }} as select * from {{ recomputed }}
        {%- endcall -%}
        {%- do record_state(plan, version_from(plan), has_changes=true) -%}
    {%- else -%}
        {%- do build_whole_table(target, compiled_code, plan, version_from(plan)) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# A table beside the models': what this build needs of itself, and what the next ones ask. #}
{% macro write_aside(table, sql) -%}
    {%- call statement() -%} drop table if exists {{ table }} {%- endcall -%}
    {%- call statement() -%} create table {{ table }} {{ file_format_clause() }} as {{ sql }} {%- endcall -%}
{%- endmacro %}
