{{ current_versions('crm', 'contacts') }}
