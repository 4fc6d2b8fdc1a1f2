{# The rows of a model, in the order of columns that its contract gives. #}
{% macro contracted(sql) -%}
    {%- if config.get('contract').enforced -%}
        select {{ model.columns.values() | map(attribute='name') | join(', ') }} from ({{ sql }})
    {%- else -%}
        {{ sql }}
    {%- endif -%}
{%- endmacro %}

{# Checks the columns of a model against its contract. No model states constraints. #}
{% macro check_contract(sql) -%}
    {%- if model.constraints or model.columns.values() | selectattr('constraints') | list -%}
        {%- do exceptions.raise_compiler_error('Tables enforce no constraints: test them.') -%}
    {%- endif -%}
    {%- if config.get('contract').enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}
{%- endmacro %}
