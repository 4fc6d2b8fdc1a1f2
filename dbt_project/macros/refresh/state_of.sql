{# The table with one row that says which inputs this model, or an input, was built from. #}
{% macro state_of(name) -%}
    {%- do return(state_schema(name) ~ '.of__' ~ name) -%}
{%- endmacro %}

{# Where a model's state and the like are: with the model, since a transaction writes to one database. #}
{% macro state_schema(name) -%}
    {{ return(adapter.dispatch('state_schema', 'voronka')(name)) }}
{%- endmacro %}

{% macro duckdb__state_schema(name) -%}
    {%- do return(database_of(name) ~ '.state') -%}
{%- endmacro %}

{% macro spark__state_schema(name) -%}
    {%- do return(env_var('VORONKA_SCHEMA_PREFIX', '') ~ 'state') -%}
{%- endmacro %}
