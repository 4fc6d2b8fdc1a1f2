{# A view, made in place, and only where its code or a parent has changed. #}
{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set plan = refresh_plan(compiled_code, existing is not none and existing.type == 'view') -%}
    {%- if existing is not none and existing.type != 'view' -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {{ run_hooks(pre_hooks) }}
    {%- if plan.how == 'keep' -%}
        {%- do store_raw_result('main', message='KEPT', code='KEPT', rows_affected='0') -%}
    {%- else -%}
        {%- call statement('main') -%}
            create or replace view {{ target }} as (
                {{ compiled_code }}
            )
        {%- endcall -%}
        {%- do drop_namesakes(plan) -%}
        {%- call statement() -%}{{ remember(target, plan.state, kind='view') }}{%- endcall -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
