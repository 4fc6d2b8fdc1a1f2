{#
  The instants of the raw contract at which something happened, by raw table: they decide the
  as-of date. Days of advertising are dates, so they are not among them.
#}
{% macro event_columns() %}
    {% do return({
        'crm.contacts': ['created_at'],
        'crm.leads': ['created_at', 'taken_at', 'qualified_at'],
        'crm.deals': ['created_at', 'closed_at'],
        'crm.deal_stage_history': ['entered_at'],
        'crm.meetings': ['set_at', 'confirmed_at', 'held_at', 'cancelled_at'],
        'crm.activities': ['happened_at'],
        'crm.payments': ['paid_at'],
        'crm.surveys': ['answered_at'],
        'telephony.calls': ['started_at'],
        'telephony.call_evaluations': ['evaluated_at'],
    }) %}
{% endmacro %}
