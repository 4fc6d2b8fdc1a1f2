{{ quarantined_rows('crm', 'meetings') }}
