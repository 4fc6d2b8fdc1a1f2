{# For each column, SQL that names it where the rows of a group do not agree on its value. #}
{% macro differing(columns) %}
    {%- set verdicts = [] -%}
    {%- for column in columns -%}
        {%- do verdicts.append(
            'case when min(' ~ column ~ ') < max(' ~ column ~ ') or count(' ~ column
            ~ ') not in (0, count(*)) then \'' ~ column ~ '\' end'
        ) -%}
    {%- endfor -%}
    {%- do return(verdicts) -%}
{% endmacro %}
