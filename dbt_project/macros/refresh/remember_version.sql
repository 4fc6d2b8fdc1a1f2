{#
  Remembers what a table was made from. It keeps its version where its rows turned out to be
  the same, so that nothing that follows it is made anew; of a large table which tells no
  changes that is not asked. Changes are marked with the versions they lie between.
#}
{% macro remember_version(target, plan) -%}
    {%- set tells = plan.how in ('append', 'keys') or (plan.is_same_code and plan.stated.tells_changes) -%}
    {%- set before = plan.built.version -%}
    {%- if tells -%}
        {%- set is_same = rows_of('select count(*) from ' ~ changes_of(model.alias))[0][0] == 0 -%}
    {%- elif not plan.stated and rows_of('select count(*) from ' ~ target)[0][0] <= 100000 -%}
        {%- set content = content_of(target) -%}
        {%- set is_same = plan.is_same_code and plan.built.content == content -%}
        {%- do plan.state.update({'content': content}) -%}
    {%- endif -%}
    {%- if is_same -%}
        {%- do plan.state.update({'version': before}) -%}
    {%- elif tells -%}
        {%- call statement() -%}
            {{ remember(changes_of(model.alias), {'from': before, 'to': plan.state.version}) }}
        {%- endcall -%}
    {%- endif -%}
    {%- call statement() -%}{{ remember(target, plan.state) }}{%- endcall -%}
{%- endmacro %}
