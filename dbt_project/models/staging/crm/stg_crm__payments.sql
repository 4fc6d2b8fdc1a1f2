{{ current_versions('crm', 'payments') }}
