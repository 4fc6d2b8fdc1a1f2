{{ judge('telephony', 'calls') }}
