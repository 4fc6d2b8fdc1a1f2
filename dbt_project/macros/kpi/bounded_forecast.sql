{#
  The lower (`least`) or upper (`greatest`) bound of a forecast whose expected part comes true to
  `low_share` … `high_share`; NULL where these are not known. Refunds may be expected, too: of a
  part below 0 the higher share is the lower bound.
#}
{% macro bounded_forecast(bound, forecasts, shares) -%}
    {%- set expected -%}
        cast({{ forecasts }}.forecast - {{ forecasts }}.paid_so_far as double)
    {%- endset -%}
    {%- set forecast -%}
        cast({{ forecasts }}.paid_so_far as double) + {{ bound }}(
            {{ expected }} * {{ shares }}.low_share,
            {{ expected }} * {{ shares }}.high_share
        )
    {%- endset -%}
    cast({{ rounded(forecast, 2) }} as {{ type_money() }})
{%- endmacro %}
