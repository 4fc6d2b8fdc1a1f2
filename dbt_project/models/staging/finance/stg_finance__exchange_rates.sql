{{ current_versions('finance', 'exchange_rates') }}
