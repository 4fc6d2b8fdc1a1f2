{{ quarantined_rows('crm', 'contacts') }}
