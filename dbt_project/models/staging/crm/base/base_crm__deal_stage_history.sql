{{ judge('crm', 'deal_stage_history') }}
