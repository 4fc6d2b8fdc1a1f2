{# The table that keeps which files of a raw table were read, as the preflight listed them. #}
{% macro files_read_of(raw_table) -%}
    {%- do return('state.files_of__' ~ raw_table.replace('.', '_')) -%}
{%- endmacro %}
