{#
  The 90 % quantile of Student's t with so many degrees of freedom, to two places
  (Cornish-Fisher, Abramowitz and Stegun 26.7.5; exact for a single one, where that is not good enough).
#}
{% macro student_quantile(freedom) -%}
    case
        when {{ freedom }} = 1 then 3.077684
        else
            1.281552 + {{ ratio('0.846585', '(' ~ freedom ~ ')') }}
            + {{ ratio('0.570851', 'pow(' ~ freedom ~ ', 2)') }}
            + {{ ratio('0.259058', 'pow(' ~ freedom ~ ', 3)') }}
    end
{%- endmacro %}
