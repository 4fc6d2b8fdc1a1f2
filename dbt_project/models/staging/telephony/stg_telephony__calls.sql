{{ current_versions('telephony', 'calls', partition_month='event_on') }}
