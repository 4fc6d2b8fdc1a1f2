{#
  Records what an incremental model was built from. It keeps its version where its rows turned out
  to be the same, so that nothing which follows it is rebuilt.
#}
{% macro record_state(plan, version, has_changes) -%}
    {%- set before = plan.built.version -%}
    {%- set is_same = has_changes and rows_of('select count(*) from ' ~ changes_of(model.name))[0][0] == 0 -%}
    {%- do adapter.dispatch('write_state', 'voronka')(
        before if is_same else version, plan, before if has_changes else none
    ) -%}
{%- endmacro %}

{% macro duckdb__write_state(version, plan, changes_from) -%}
    {%- call statement() -%}
        create or replace table {{ state_of(model.name) }} as
        select
            '{{ version }}' as version,
            '{{ plan.code }}' as code,
            '{{ tojson(plan.inputs, sort_keys=true).replace("'", "''") }}' as inputs,
            {% if changes_from %}'{{ changes_from }}'{% else %}null{% endif %} as changes_from
    {%- endcall -%}
{%- endmacro %}

{% macro spark__write_state(version, plan, changes_from) -%}
    {%- call statement() -%}
        alter table {{ this }} set {{ state_properties(version, plan, changes_from) }}
    {%- endcall -%}
{%- endmacro %}

{# The state that a table on Spark carries. #}
{% macro state_properties(version, plan, changes_from=none) -%}
    tblproperties (
        {%- for name, input_version in plan.inputs.items() %}
        'voronka.input.{{ name }}' = '{{ input_version }}',
        {%- endfor %}
        'voronka.code' = '{{ plan.code }}',
        'voronka.changes_from' = '{{ changes_from or "" }}',
        'voronka.version' = '{{ version }}'
    )
{%- endmacro %}

{#
  Takes its state from a table that is about to change in place: nothing there is undone where a
  statement fails, so a build that dies in between is followed by a whole one.
#}
{% macro forget_state() -%}
    {%- call statement() -%}
        alter table {{ this }} unset tblproperties if exists ('voronka.version')
    {%- endcall -%}
{%- endmacro %}

{# The version of a model that is built from these inputs by this project. #}
{% macro version_from(plan) -%}
    {%- do return(local_md5(plan.code ~ tojson(plan.inputs, sort_keys=true))) -%}
{%- endmacro %}
