{{ quarantined_rows('crm', 'deal_stage_history') }}
