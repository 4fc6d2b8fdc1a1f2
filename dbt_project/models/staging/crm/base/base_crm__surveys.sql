{{ judge('crm', 'surveys') }}
