{{ current_versions('telephony', 'extensions') }}
