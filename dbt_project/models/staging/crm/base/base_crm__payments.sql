{{ judge('crm', 'payments') }}
