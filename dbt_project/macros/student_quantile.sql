{#
  The 90 % quantile of Student's t with so many degrees of freedom, two or more; to two places
  (Cornish-Fisher, Abramowitz and Stegun 26.7.5).
#}
{% macro student_quantile(freedom) -%}
    (1.281552 + 0.846585 / ({{ freedom }}) + 0.570851 / pow({{ freedom }}, 2)
    + 0.259058 / pow({{ freedom }}, 3))
{%- endmacro %}
