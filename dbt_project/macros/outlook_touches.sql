{# What is counted of a deal's touches, by the name of the count. #}
{% macro outlook_touches() -%}
    {{ return({
        'conversations': 'conversation', 'calls_out': 'call_out', 'calls_in': 'call_in',
        'messages_out': 'message_out', 'messages_in': 'message_in', 'proposals': 'proposal',
        'presentations': 'presentation', 'meetings_set': 'meeting_set',
        'meetings_confirmed': 'meeting_confirmed', 'meetings_held': 'meeting_held',
        'meetings_cancelled': 'meeting_cancelled', 'payments': 'payment',
        'contact_payments': 'contact_payment',
    }) }}
{%- endmacro %}
