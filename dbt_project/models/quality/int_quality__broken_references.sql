-- One row per raw table, day and reference: how many existing rows point at a parent
-- that does not exist.

{% for source_name, table_name in raw_tables() %}
-- depends_on: {{ ref('stg_' ~ source_name ~ '__' ~ table_name) }}
{%- endfor %}

{% for reference in (all_references() if execute else []) %}
select
    '{{ reference.source_name }}.{{ reference.table_name }}' as table_name,
    children.event_on,
    'broken_ref:{{ reference.column }}' as check_name,
    count(*) as rows
from {{ ref('stg_' ~ reference.source_name ~ '__' ~ reference.table_name) }} as children
left join {{ ref(reference.parent_model) }} as parents
    on children.{{ reference.column }} = parents.{{ reference.parent_key }}
where
    children.{{ reference.column }} is not null
    and parents.{{ reference.parent_key }} is null
    {%- if reference.keeps_deleted %}
    and not children.is_deleted
    {%- endif %}
group by 2
{% if not loop.last %}union all{% endif %}
{% endfor %}
