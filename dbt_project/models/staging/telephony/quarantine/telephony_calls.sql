{{ quarantined_rows('telephony', 'calls') }}
