{{ current_versions('crm', 'contact_phones') }}
