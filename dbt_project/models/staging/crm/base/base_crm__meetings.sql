{{ judge('crm', 'meetings') }}
