{# Months from one first of a month to another. #}
{% macro months_between(since, until) -%}
    cast(
        12 * (extract(year from {{ until }}) - extract(year from {{ since }}))
        + extract(month from {{ until }}) - extract(month from {{ since }})
    as bigint)
{%- endmacro %}
