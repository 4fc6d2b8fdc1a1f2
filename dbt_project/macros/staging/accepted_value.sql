{#
  SQL for a read value that the contract also accepts: a date within its range, a
  code of its enumeration. NULL, or the enumeration's own word for the unknown,
  where it does not.
#}
{% macro accepted_value(column) -%}
    {%- set value = column.name ~ '__read' -%}
    {%- if column.codes -%}
        case
            when {{ value }} in ('{{ column.codes | join("', '") }}') then {{ value }}
            {%- if column.unknown_code == 'other' %}
            when {{ value }} is not null then 'other'
            {%- endif %}
        end
    {%- elif column.data_type in ('timestamp', 'date') -%}
        case when {{ is_in_range(value, column.data_type) }} then {{ value }} end
    {%- elif column.is_nullable_key -%}
        coalesce({{ value }}, '')
    {%- else -%}
        {{ value }}
    {%- endif -%}
{%- endmacro %}
