{#
  The rows that only one of two relations has, or that they have a different number of
  times; each once. One pass over both, where two `except all` would take two.
#}
{% macro differing_rows(before, after) -%}
    select * exclude (_side)
    from (
        select *, -1 as _side from {{ before }}
        union all by name
        select *, 1 as _side from {{ after }}
    )
    group by all
    having sum(_side) != 0
{%- endmacro %}
