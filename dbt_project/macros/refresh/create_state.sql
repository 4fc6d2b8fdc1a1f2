{#
  Where the incremental models of a database keep which files they read, what changed, and of which
  inputs they are: a transaction writes to one database.
#}
{% macro create_state(database) -%}
    {{ return(adapter.dispatch('create_state', 'voronka')(database)) }}
{%- endmacro %}

{% macro duckdb__create_state(database) -%}
    create schema if not exists {{ database }}.state
{%- endmacro %}

{% macro spark__create_state(database) -%}
    create schema if not exists {{ env_var('VORONKA_SCHEMA_PREFIX', '') }}state
{%- endmacro %}
