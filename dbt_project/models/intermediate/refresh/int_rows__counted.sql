-- One row per raw table: how many rows were kept and quarantined, and the
-- latest load among the kept.

{% for source_name, table_name in raw_tables() %}
select
    '{{ source_name }}.{{ table_name }}' as table_name,
    count(*) filter (where {{ list_length('reasons') }} = 0) as rows_kept,
    count(*) filter (where {{ list_length('reasons') }} > 0) as rows_quarantined,
    max(_loaded_at) filter (where {{ list_length('reasons') }} = 0) as last_loaded_at,
    min(event_on) as first_event_on,
    max(event_on) as last_event_on
from {{ ref('base_' ~ source_name ~ '__' ~ table_name) }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
