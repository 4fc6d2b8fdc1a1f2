{{ current_versions('crm', 'meetings') }}
