{{ current_versions('crm', 'stages') }}
