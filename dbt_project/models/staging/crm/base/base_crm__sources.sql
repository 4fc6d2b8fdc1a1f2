{{ judge('crm', 'sources') }}
