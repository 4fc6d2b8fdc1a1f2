{{ current_versions('crm', 'deals') }}
