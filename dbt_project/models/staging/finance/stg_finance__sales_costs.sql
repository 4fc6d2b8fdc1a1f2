{{ current_versions('finance', 'sales_costs') }}
