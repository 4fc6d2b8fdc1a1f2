{#
  A table, made in place, and no more of it than the refresh asks for (`refresh_plan`). dbt's
  own way builds beside the old table and renames, so that readers never see a gap; nobody
  reads our build file. Where a contract is enforced, the columns stand in its order; their
  constraints would need an empty table first, and no model states any.
#}
{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if model.constraints or model.columns.values() | selectattr('constraints') | list -%}
        {%- do exceptions.raise_compiler_error('Tables enforce no constraints: test them.') -%}
    {%- endif -%}
    {%- set plan = refresh_plan(compiled_code, existing is not none and existing.type == 'table') -%}
    {%- if existing is not none and existing.type != 'table' -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks) }}
    {%- if plan.how == 'keep' -%}
        {%- do store_raw_result('main', message='KEPT', code='KEPT', rows_affected='0') -%}
    {%- else -%}
        {%- if config.get('contract').enforced and not plan.is_same_code -%}
            {%- do get_assert_columns_equivalent(compiled_code) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            {{ config.get('sql_header') or '' }}
            {%- if plan.how == 'append' %}{{ append_new_files(target, plan) }}
            {%- elif plan.how == 'keys' %}{{ make_touched_keys_anew(target, plan) }}
            {%- elif plan.is_same_code and plan.stated.tells_changes %}{{ make_anew_and_tell(target) }}
            {%- else %}{{ make_anew(target, plan) }}
            {%- endif %}
        {%- endcall -%}
        {%- do drop_namesakes(plan) -%}
        {%- do remember_version(target, plan) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
