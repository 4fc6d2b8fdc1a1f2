{{ current_versions('crm', 'leads') }}
