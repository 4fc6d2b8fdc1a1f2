{{ judge('finance', 'exchange_rates') }}
