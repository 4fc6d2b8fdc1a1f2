{{ quarantined_rows('telephony', 'call_transcripts') }}
