{{ judge('marketing', 'ad_spend') }}
