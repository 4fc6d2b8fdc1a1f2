{#
  The rows of a model: columns in the order that its contract gives, rows by its grain, by which
  readers find them sooner.
#}
{% macro contracted(sql) -%}
    {%- if config.get('contract').enforced -%}
        {%- set grain = (config.get('meta') or {}).get('grain') or [] -%}
        select {{ model.columns.values() | map(attribute='name') | join(', ') }} from ({{ sql }})
        {%- if grain %}
        order by {{ grain | join(' nulls first, ') }} nulls first
        {%- endif -%}
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
