{{ judge('telephony', 'extensions') }}
