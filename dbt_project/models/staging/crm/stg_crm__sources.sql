{{ current_versions('crm', 'sources') }}
