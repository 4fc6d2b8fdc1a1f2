{{ current_versions('crm', 'quotas') }}
