{# What a model states of its refresh: `rebuilt_by`, `tells_changes`, `follows_files_of`; else empty. #}
{% macro stated_refresh(sql) -%}
    {%- if '/*refresh ' not in sql -%}
        {%- do return({}) -%}
    {%- endif -%}
    {%- do return(fromjson(sql.split('/*refresh ')[1].split(' refresh*/')[0])) -%}
{%- endmacro %}
