{#
  Replaces the rows whose keys are in `changes` by those that were recomputed: in the months that
  they lie in or move to where the table is divided by months, else in a copy of the table, which
  takes its name. Nothing of this is undone where it fails: the table has no state meanwhile.
#}
{% macro replace_changed_rows(target, recomputed, keys) -%}
    {%- set changes = changes_of(model.name) -%}
    {%- do forget_state() -%}
    {%- if partition_day() -%}
        {%- set months = rows_of('select distinct ' ~ partition_month() ~ ' from ' ~ changes) | map(attribute=0) | list -%}
        {%- set rows = rows_after(target, recomputed, keys, in_months(months)) -%}
        {%- call statement('main') -%} insert overwrite table {{ target }} {{ rows }} {%- endcall -%}
        {#- A month without a row is not written, and its old rows would stay. -#}
        {%- set emptied = rows_of(
            'select distinct partition_month from ' ~ target ~ ' left semi join ' ~ changes ~ ' as changes on '
            ~ same_keys(target.identifier, 'changes', keys) ~ ' where ' ~ in_months(months)
            ~ ' except select distinct ' ~ partition_month() ~ ' from ' ~ recomputed
        ) | map(attribute=0) | list -%}
        {%- for month in emptied -%}
            {%- do rows_of('alter table ' ~ target ~ " drop if exists partition (partition_month = '" ~ month ~ "')") -%}
        {%- endfor -%}
    {%- else -%}
        {%- set copy = target.incorporate(path={'identifier': target.identifier ~ '__copy'}) -%}
        {%- call statement() -%} drop table if exists {{ copy }} {%- endcall -%}
        {%- call statement('main') -%}
            create table {{ copy }} {{ file_format_clause() }} as
            {{ rows_after(target, recomputed, keys, 'true') }}
        {%- endcall -%}
        {%- call statement() -%} drop table {{ target }} {%- endcall -%}
        {%- call statement() -%} alter table {{ copy }} rename to {{ target }} {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{# The rows of a table, of some months alone where a condition says so, after the change. #}
{% macro rows_after(target, recomputed, keys, condition) -%}
    {%- set changes = changes_of(model.name) -%}
    select before.* from {{ target }} as before
    left anti join {{ changes }} as changes on {{ same_keys('before', 'changes', keys) }}
    where {{ condition }}
    union all
    {{ with_partition_month(
        'select after.* from ' ~ recomputed ~ ' as after left semi join ' ~ changes ~ ' as changes on '
        ~ same_keys('after', 'changes', keys)
    ) }}
{%- endmacro %}

{% macro same_keys(left, right, keys) -%}
    {%- for key in keys -%}
        {{ left }}.{{ key }} = {{ right }}.{{ key }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro in_months(months) -%}
    {%- set dated = months | reject('none') | list -%}
    ({{ "partition_month in ('" ~ dated | join("', '") ~ "')" if dated else 'false' }}
    {{- ' or partition_month is null' if dated | length < months | length }})
{%- endmacro %}
