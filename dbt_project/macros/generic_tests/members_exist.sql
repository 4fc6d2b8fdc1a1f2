{#
  Every manager, source, stage, pipeline and contact that the model names is in its
  dimension. Columns are known by their names, those of the model's contract. Returns
  column and key.
#}
{% test members_exist(model) %}
{%- set dimensions = {
    'manager_id': ref('dim_manager'), 'set_by': ref('dim_manager'),
    'held_by': ref('dim_manager'), 'source_id': ref('dim_source'),
    'stage_id': ref('dim_stage'), 'next_stage_id': ref('dim_stage'),
    'pipeline_id': ref('dim_pipeline'), 'contact_id': ref('dim_contact'),
} -%}
{%- set keys = {'set_by': 'manager_id', 'held_by': 'manager_id', 'next_stage_id': 'stage_id'} -%}
{%- if execute -%}
{%- for column in node_of(model).columns.values() if column.name in dimensions %}
select
    '{{ column.name }}' as column_name,
    facts.{{ column.name }} as missing_key
from {{ model }} as facts
left join {{ dimensions[column.name] }} as members
    on facts.{{ column.name }} = members.{{ keys.get(column.name, column.name) }}
where
    members.{{ keys.get(column.name, column.name) }} is null
    {{ 'and facts.next_stage_id is not null' if column.name == 'next_stage_id' }}
union all
{% endfor %}
select null as column_name, null as missing_key
where false
{%- endif -%}
{% endtest %}
