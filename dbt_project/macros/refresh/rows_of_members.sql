{#
  The keys of an input's rows that name a changed member of a dimension: a term of `touched_by` for that
  dimension, which names the member's id as the input does.
#}
{% macro rows_of_members(input, key, member) -%}
    select {{ key | join(', ') }} from {{ input }}
    where {{ member }} in (select {{ member }} from changes)
{%- endmacro %}
