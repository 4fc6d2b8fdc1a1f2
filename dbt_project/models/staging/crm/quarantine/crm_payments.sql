{{ quarantined_rows('crm', 'payments') }}
