{{ quarantined_rows('crm', 'leads') }}
