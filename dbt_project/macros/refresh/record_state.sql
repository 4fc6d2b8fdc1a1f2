{#
  Records what an incremental model was built from. It keeps its version where its rows turned out
  to be the same, so that nothing which follows it is rebuilt.
#}
{% macro record_state(plan, version, has_changes) -%}
    {%- set before = plan.built.version -%}
    {%- set is_same = has_changes and rows_of('select count(*) from ' ~ changes_of(model.name))[0][0] == 0 -%}
    {%- call statement() -%}
        create or replace table {{ state_of(model.name) }} as
        select
            '{{ before if is_same else version }}' as version,
            '{{ plan.code }}' as code,
            '{{ tojson(plan.inputs, sort_keys=true).replace("'", "''") }}' as inputs,
            {% if has_changes and before %}'{{ before }}'{% else %}null{% endif %} as changes_from
    {%- endcall -%}
{%- endmacro %}

{# The version of a model that is built from these inputs by this project. #}
{% macro version_from(plan) -%}
    {%- do return(local_md5(plan.code ~ tojson(plan.inputs, sort_keys=true))) -%}
{%- endmacro %}
