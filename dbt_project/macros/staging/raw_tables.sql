{#
  Every table of the raw contract, as [source, table]. dbt wants to know the
  references of a model before it has read the sources, so the list stands here;
  a test holds it against them.
#}
{% macro raw_tables() %}
    {% do return([
        ['crm', 'managers'], ['crm', 'sources'], ['crm', 'contacts'],
        ['crm', 'contact_phones'], ['crm', 'pipelines'], ['crm', 'stages'],
        ['crm', 'leads'], ['crm', 'deals'], ['crm', 'deal_stage_history'],
        ['crm', 'meetings'], ['crm', 'activities'], ['crm', 'payments'],
        ['crm', 'surveys'], ['crm', 'quotas'],
        ['telephony', 'calls'], ['telephony', 'extensions'],
        ['telephony', 'call_evaluations'], ['telephony', 'call_transcripts'],
        ['marketing', 'ad_spend'],
        ['finance', 'sales_costs'], ['finance', 'exchange_rates'],
    ]) %}
{% endmacro %}
