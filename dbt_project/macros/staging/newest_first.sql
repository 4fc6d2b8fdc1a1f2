{#
  The order of a raw table's versions, the greatest first: `updated_at`, then `_loaded_at`, then
  the other values (`ties`), so that the order of files never matters.
#}
{% macro newest_first(ties) -%}
    updated_at desc nulls last, _loaded_at desc, {{ ties | join(' desc nulls last, ') }} desc nulls last
{%- endmacro %}
