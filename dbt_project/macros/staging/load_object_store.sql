{#
  Lets the session read a raw zone in an object store, through the extension that a
  package brought; nothing where the zone is a directory, and on a cluster, which has its own access.
#}
{% macro load_object_store() -%}
    {{ return(adapter.dispatch('load_object_store', 'voronka')()) }}
{%- endmacro %}

{% macro duckdb__load_object_store() -%}
    {%- if env_var('VORONKA_HTTPFS', '') -%}
    load '{{ env_var("VORONKA_HTTPFS") }}'
    {%- endif -%}
{%- endmacro %}

{% macro spark__load_object_store() -%}
{%- endmacro %}
