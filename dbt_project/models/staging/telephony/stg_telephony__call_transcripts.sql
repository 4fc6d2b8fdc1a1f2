{{ current_versions('telephony', 'call_transcripts') }}
