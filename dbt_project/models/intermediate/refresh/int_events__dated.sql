-- One row per event column of the raw contract: the first and the last local
-- date on which something happened, among existing rows.

{% for table, columns in event_columns().items() %}
{%- set model = 'stg_' ~ table.replace('.', '__') %}
{% for column in columns %}
select
    '{{ model }}.{{ column }}' as event_column,
    {{ local_date('min(' ~ column ~ ')') }} as first_on,
    {{ local_date('max(' ~ column ~ ')') }} as last_on
from {{ ref(model) }}
union all
{% endfor %}
{% endfor %}
select
    'stg_marketing__ad_spend.spend_date' as event_column,
    min(spend_date) as first_on,
    max(spend_date) as last_on
from {{ ref('stg_marketing__ad_spend') }}
