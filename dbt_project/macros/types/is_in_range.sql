{# Whether an instant or a date lies in the contract's range, 1970 to 2099. #}
{% macro is_in_range(value, data_type) -%}
    {%- if data_type == 'date' -%}
        {{ value }} >= date '1970-01-01' and {{ value }} < date '2100-01-01'
    {%- else -%}
        {{ value }} >= {{ utc_instant('1970-01-01 00:00:00') }}
        and {{ value }} < {{ utc_instant('2100-01-01 00:00:00') }}
    {%- endif -%}
{%- endmacro %}
