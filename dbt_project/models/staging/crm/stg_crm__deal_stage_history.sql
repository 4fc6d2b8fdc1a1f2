{{ current_versions('crm', 'deal_stage_history') }}
