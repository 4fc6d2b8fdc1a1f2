{{ judge('crm', 'contacts') }}
