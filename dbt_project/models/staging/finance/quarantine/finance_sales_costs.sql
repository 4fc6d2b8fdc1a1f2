{{ quarantined_rows('finance', 'sales_costs') }}
