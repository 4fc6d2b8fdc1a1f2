{#
  How many standard errors lie above the mean before a tail of this probability begins, under a half;
  to three places (Abramowitz and Stegun 26.2.23).
#}
{% macro normal_quantile(tail) -%}
    {%- set t = 'sqrt(-2 * ln(' ~ tail ~ '))' -%}
    (
        {{ t }}
        - (2.515517 + 0.802853 * {{ t }} + 0.010328 * {{ t }} * {{ t }})
        / (1 + 1.432788 * {{ t }} + 0.189269 * {{ t }} * {{ t }} + 0.001308 * {{ t }} * {{ t }} * {{ t }})
    )
{%- endmacro %}
