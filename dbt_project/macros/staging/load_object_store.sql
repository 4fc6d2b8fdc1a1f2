{#
  Lets the session read a raw zone in an object store, through the extension that a
  package brought; nothing where the zone is a directory.
#}
{% macro load_object_store() -%}
    {%- if env_var('VORONKA_HTTPFS', '') -%}
    load '{{ env_var("VORONKA_HTTPFS") }}'
    {%- endif -%}
{%- endmacro %}
