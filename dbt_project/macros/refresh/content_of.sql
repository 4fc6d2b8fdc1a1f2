{# A version of a small relation from its rows: the same for the same rows, in any order. #}
{% macro content_of(relation) -%}
    {%- do return(rows_of(
        "select 'rows ' || count(*) || ' ' || coalesce(sum(hash(_row)), 0) from "
        ~ relation ~ " as _row"
    )[0][0]) -%}
{%- endmacro %}
