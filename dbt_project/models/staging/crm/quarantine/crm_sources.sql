{{ quarantined_rows('crm', 'sources') }}
