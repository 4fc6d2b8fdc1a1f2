{{ judge('crm', 'managers') }}
