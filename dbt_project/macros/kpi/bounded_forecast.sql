{# A forecast whose expected part comes true to a share only; NULL where that is not known. #}
{% macro bounded_forecast(forecasts, share) -%}
    cast(round(
        cast({{ forecasts }}.paid_so_far as double)
        + cast({{ forecasts }}.forecast - {{ forecasts }}.paid_so_far as double) * {{ share }}
    , 2) as {{ type_money() }})
{%- endmacro %}
