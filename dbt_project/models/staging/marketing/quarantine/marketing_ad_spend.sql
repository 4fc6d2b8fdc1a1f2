{{ quarantined_rows('marketing', 'ad_spend') }}
