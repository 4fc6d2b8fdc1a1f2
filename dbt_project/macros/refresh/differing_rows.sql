{#
  The rows that only one of two relations has, or that they have a different number of
  times; each once. One pass over both, where two `except all` would take two.
#}
{% macro differing_rows(before, after) -%}
    {{ return(adapter.dispatch('differing_rows', 'voronka')(before, after)) }}
{%- endmacro %}

{% macro duckdb__differing_rows(before, after) -%}
    select * exclude (_side)
    from (
        select *, -1 as _side from {{ before }}
        union all by name
        select *, 1 as _side from {{ after }}
    )
    group by all
    having sum(_side) != 0
{%- endmacro %}

{# Both have their columns in the same order there: they are results of the same statement. #}
{% macro spark__differing_rows(before, after) -%}
    select * except (_side)
    from (
        select * except (_side), sum(_side) as _side
        from (
            select *, -1 as _side from {{ before }}
            union all
            select *, 1 as _side from {{ after }}
        )
        group by all
    )
    where _side != 0
{%- endmacro %}
