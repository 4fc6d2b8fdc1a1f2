{{ judge('crm', 'pipelines') }}
