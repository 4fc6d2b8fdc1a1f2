{# A version of a small relation from its rows: the same for the same rows, in any order. #}
{% macro content_of(relation) -%}
    {%- do return(rows_of(adapter.dispatch('content_query', 'voronka')(relation))[0][0]) -%}
{%- endmacro %}

{% macro duckdb__content_query(relation) -%}
    select 'rows ' || count(*) || ' ' || coalesce(sum(hash(_row)), 0) from {{ relation }} as _row
{%- endmacro %}

{% macro spark__content_query(relation) -%}
    select 'rows ' || count(*) || ' ' || coalesce(sum(cast(xxhash64(*) as decimal(38, 0))), 0)
    from {{ relation }}
{%- endmacro %}
