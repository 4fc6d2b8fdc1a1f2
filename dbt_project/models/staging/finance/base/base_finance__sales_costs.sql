{{ judge('finance', 'sales_costs') }}
