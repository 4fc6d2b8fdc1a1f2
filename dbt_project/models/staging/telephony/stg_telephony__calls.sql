{{ current_versions('telephony', 'calls') }}
