{{ judge('crm', 'stages') }}
