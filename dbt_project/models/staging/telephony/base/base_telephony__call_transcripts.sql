{{ judge('telephony', 'call_transcripts') }}
