-- One row per raw table and day: how many of its rows are in quarantine.

{% for source_name, table_name in raw_tables() %}
select
    '{{ source_name }}.{{ table_name }}' as table_name,
    event_on,
    'quarantined' as check_name,
    count(*) as rows
from {{ ref('base_' ~ source_name ~ '__' ~ table_name) }}
where {{ list_length('reasons') }} > 0
group by 2
{% if not loop.last %}union all{% endif %}
{% endfor %}
