{{ current_versions('crm', 'surveys') }}
