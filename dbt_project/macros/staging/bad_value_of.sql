{#
  SQL that names a column whose optional value did not read, is out of range or
  unknown to its enumeration, else NULL; nothing where any value is fine.
#}
{% macro bad_value_of(column) -%}
    {%- set name = column.name -%}
    {%- if column.codes and column.unknown_code == 'other' -%}
        case
            when {{ name }} = 'other' and {{ name }}__read != 'other'
                {{- ' and is_deleted is not true' if column.is_required }} then '{{ name }}'
        end
    {%- elif column.codes and not column.is_required -%}
        case when {{ name }}__read is not null and {{ name }} is null then '{{ name }}' end
    {%- elif column.data_type != 'text' and not column.is_required -%}
        case when {{ name }}__given is not null and {{ name }} is null then '{{ name }}' end
    {%- endif -%}
{%- endmacro %}
