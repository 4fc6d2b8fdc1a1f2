{{ quarantined_rows('crm', 'managers') }}
