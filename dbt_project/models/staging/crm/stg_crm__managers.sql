{{ current_versions('crm', 'managers') }}
