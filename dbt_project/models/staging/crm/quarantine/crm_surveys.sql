{{ quarantined_rows('crm', 'surveys') }}
