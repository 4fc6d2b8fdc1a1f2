{{ quarantined_rows('crm', 'contact_phones') }}
