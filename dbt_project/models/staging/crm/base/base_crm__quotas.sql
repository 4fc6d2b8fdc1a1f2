{{ judge('crm', 'quotas') }}
