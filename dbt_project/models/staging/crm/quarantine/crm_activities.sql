{{ quarantined_rows('crm', 'activities') }}
