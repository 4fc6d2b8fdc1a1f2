{{ quarantined_rows('crm', 'quotas') }}
