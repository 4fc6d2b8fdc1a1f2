{#
  Tables on Spark follow their inputs as those of the other engine do, whole tables too: where none
  has changed, and the project neither, a table is left alone.
#}
{% materialization table, adapter='spark' %}
    {{ return(follow_inputs()) }}
{% endmaterialization %}

{% materialization new_files, adapter='spark' %}
    {{ return(follow_inputs(append_new_files)) }}
{% endmaterialization %}

{% materialization touched_keys, adapter='spark' %}
    {{ return(follow_inputs(rebuild_touched_keys)) }}
{% endmaterialization %}

{% materialization tracked_table, adapter='spark' %}
    {{ return(follow_inputs(rebuild_and_track)) }}
{% endmaterialization %}

{#
  Builds a table as its plan says: not at all, as a whole, or in the way of its materialization, which
  is a macro of the table and the plan.
#}
{% macro follow_inputs(rebuild=none) -%}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- set plan = refresh_plan() -%}
    {%- set tells_changes = config.get('materialized') == 'tracked_table' and plan.built.version -%}
    {%- if plan.how == 'unchanged' -%}
        {%- do store_raw_result('main', message='UNCHANGED', code='UNCHANGED', rows_affected='0') -%}
    {%- elif plan.how == 'whole' and not tells_changes -%}
        {%- do build_whole_table(target, plan) -%}
    {%- else -%}
        {%- do rebuild(target, plan) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {%- do return({'relations': [target]}) -%}
{%- endmacro %}

{# Appends the rows of new files. #}
{% macro append_new_files(target, plan) -%}
    {%- do write_aside(changes_of(model.name), compiled_code) -%}
    {%- do forget_state() -%}
    {%- call statement('main') -%}
        insert into {{ target }} select * from {{ changes_of(model.name) }}
    {%- endcall -%}
    {%- do write_files_read() -%}
    {%- do record_state(plan, version_from(plan), has_changes=true) -%}
{%- endmacro %}

{# Replaces rows by key, in the months they lie in. #}
{% macro rebuild_touched_keys(target, plan) -%}
    {%- set keys = refresh_terms().key -%}
    {%- set recomputed = recomputed_rows() -%}
    {%- set touched = touched_keys_of_build() -%}
    {%- do write_aside(touched, touched_keys_query(target, plan)) -%}
    {%- do write_aside(recomputed, in_stated_types(compiled_code)) -%}
    {%- set before = 'select * ' ~ ('except (partition_month) ' if partition_day()) ~ 'from ' ~ target
        ~ ' where (' ~ keys | join(', ') ~ ') in (select * from ' ~ touched ~ ')' -%}
    {%- do write_aside(changes_of(model.name), differing_rows('(' ~ before ~ ')', recomputed)) -%}
    {%- do replace_changed_rows(target, recomputed, keys) -%}
    {%- do record_state(plan, version_from(plan), has_changes=true) -%}
{%- endmacro %}

{# Rebuilds the whole table, and tells what changed in it. #}
{% macro rebuild_and_track(target, plan) -%}
    {%- set recomputed = recomputed_rows() -%}
    {%- do write_aside(recomputed, in_stated_types(compiled_code)) -%}
    {%- do write_aside(changes_of(model.name), differing_rows(target, recomputed)) -%}
    {%- do drop_relation_of_any_kind(target) -%}
    {%- call statement('main') -%}
        create table {{ target }} {{ file_format_clause() }} as select * from {{ recomputed }}
    {%- endcall -%}
    {%- do record_state(plan, version_from(plan), has_changes=true) -%}
{%- endmacro %}

{% macro recomputed_rows() -%}
    {%- do return(state_schema(model.name) ~ '.recomputed__' ~ model.name) -%}
{%- endmacro %}

{# The list of the raw files that a table was made from, row by row. #}
{% macro write_files_read() -%}
    {%- set raw_table = model.sources[0] | join('.') -%}
    {%- do write_aside(files_read_of(raw_table), files_listed_of(raw_table)) -%}
{%- endmacro %}

{# A table beside the models': what this build needs of itself, and what the next ones ask. #}
{% macro write_aside(table, sql) -%}
    {%- call statement() -%} drop table if exists {{ table }} {%- endcall -%}
    {%- call statement() -%}
        create table {{ table }} {{ file_format_clause() }} as {{ sql }}
    {%- endcall -%}
{%- endmacro %}
