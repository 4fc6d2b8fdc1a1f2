{{ quarantined_rows('crm', 'deals') }}
