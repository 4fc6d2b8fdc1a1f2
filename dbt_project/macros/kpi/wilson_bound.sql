{#
  The lower or the upper bound (`side`: low, high) of Wilson's 95 % interval of a share of
  counts. NULL without a denominator, and where the numerator is no part of it: such a
  quotient is no share.
#}
{% macro wilson_bound(side, numerator, denominator) -%}
    {%- set z = 1.959963984540054 -%}
    {%- set part = 'cast(' ~ numerator ~ ' as double)' -%}
    {%- set whole = 'cast(' ~ denominator ~ ' as double)' -%}
    case
        when {{ denominator }} = 0 or {{ numerator }} < 0 or {{ numerator }} > {{ denominator }}
            then null
        {%- if side == 'low' %}
        when {{ numerator }} = 0 then 0
        {%- else %}
        when {{ numerator }} = {{ denominator }} then 1
        {%- endif %}
        else (
            {{ part }} + {{ z * z / 2 }} {{ '-' if side == 'low' else '+' }} {{ z }}
            * sqrt({{ part }} * ({{ whole }} - {{ part }}) / {{ whole }} + {{ z * z / 4 }})
        ) / ({{ whole }} + {{ z * z }})
    end
{%- endmacro %}
