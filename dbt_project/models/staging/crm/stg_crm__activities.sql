{{ current_versions('crm', 'activities') }}
