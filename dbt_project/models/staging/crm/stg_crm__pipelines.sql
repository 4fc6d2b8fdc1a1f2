{{ current_versions('crm', 'pipelines') }}
