{{ current_versions('marketing', 'ad_spend') }}
