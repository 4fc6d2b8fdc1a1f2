{{ judge('crm', 'contact_phones') }}
