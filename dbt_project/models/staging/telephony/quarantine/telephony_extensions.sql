{{ quarantined_rows('telephony', 'extensions') }}
