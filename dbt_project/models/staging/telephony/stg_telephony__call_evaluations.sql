{{ current_versions('telephony', 'call_evaluations') }}
