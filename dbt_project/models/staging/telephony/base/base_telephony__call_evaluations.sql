{{ judge('telephony', 'call_evaluations') }}
