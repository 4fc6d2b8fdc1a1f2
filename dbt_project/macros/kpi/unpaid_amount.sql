{# What of a deal's amount has not been paid, never below 0; NULL without an amount. #}
{% macro unpaid_amount(amount, paid) -%}
    cast(case
        when {{ amount }} is not null then greatest({{ amount }} - coalesce({{ paid }}, 0), 0)
    end as {{ type_money() }})
{%- endmacro %}
