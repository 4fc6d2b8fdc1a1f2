-- One row per event column of the raw contract: the first and the last local
-- date on which something happened, among existing rows.

{% set event_columns = {
    'stg_crm__contacts': ['created_at'],
    'stg_crm__leads': ['created_at', 'taken_at', 'qualified_at'],
    'stg_crm__deals': ['created_at', 'closed_at'],
    'stg_crm__deal_stage_history': ['entered_at'],
    'stg_crm__meetings': ['set_at', 'confirmed_at', 'held_at', 'cancelled_at'],
    'stg_crm__activities': ['happened_at'],
    'stg_crm__payments': ['paid_at'],
    'stg_crm__surveys': ['answered_at'],
    'stg_telephony__calls': ['started_at'],
    'stg_telephony__call_evaluations': ['evaluated_at'],
} %}

{% for model, columns in event_columns.items() %}
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
