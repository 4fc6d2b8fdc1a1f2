{#
  Schemas have the names that BI knows. On a cluster, which others use too, those of the build have a
  prefix: nobody reads them.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ env_var('VORONKA_SCHEMA_PREFIX', '') }}{{ (custom_schema_name or 'main') | trim }}
{%- endmacro %}
