{{ quarantined_rows('telephony', 'call_evaluations') }}
