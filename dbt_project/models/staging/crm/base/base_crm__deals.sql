{{ judge('crm', 'deals') }}
