{# Whether at least one of the measures is not 0: an additive mart has no other rows. #}
{% macro any_not_zero(measures) -%}
    ({{ measures | join(' != 0 or ') }} != 0)
{%- endmacro %}
