{{ quarantined_rows('crm', 'pipelines') }}
