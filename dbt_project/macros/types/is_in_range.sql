{# Whether an instant or a date lies in the contract's range, 2 January 1970 to the end of 2099: the first
   day of the epoch is how systems write nothing. #}
{% macro is_in_range(value, data_type) -%}
    {%- if data_type == 'date' -%}
        {{ value }} >= date '1970-01-02' and {{ value }} < date '2100-01-01'
    {%- else -%}
        {{ value }} >= {{ utc_instant('1970-01-02 00:00:00') }}
        and {{ value }} < {{ utc_instant('2100-01-01 00:00:00') }}
    {%- endif -%}
{%- endmacro %}
