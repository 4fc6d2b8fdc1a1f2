{{ judge('crm', 'activities') }}
