{{ quarantined_rows('finance', 'exchange_rates') }}
