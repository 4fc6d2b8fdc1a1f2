{# Removes what a model that has moved left in its old schema. #}
{% macro drop_namesakes(plan) -%}
    {%- for relation in plan.namesakes -%}
        {%- call statement() -%}drop {{ relation }}{%- endcall -%}
    {%- endfor -%}
{%- endmacro %}
