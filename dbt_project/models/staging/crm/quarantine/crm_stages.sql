{{ quarantined_rows('crm', 'stages') }}
