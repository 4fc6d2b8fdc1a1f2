{{ judge('crm', 'leads') }}
