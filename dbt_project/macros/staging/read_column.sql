{#
  SQL that reads one contract column from its cleaned text, or from the value
  itself where the files hold the column's own type. NULL where it does not read.
#}
{% macro read_column(column, is_text) -%}
    {%- set value = column.name ~ '__given' -%}
    {%- if column.codes or column.normalise == 'code' -%}
        {{ text_as_code(value, column.synonyms) }}
    {%- elif column.normalise == 'upper' -%}
        {{ upper_case(value) }}
    {%- elif column.data_type == 'text' -%}
        {{ value }}
    {%- elif column.data_type == 'timestamp' -%}
        {{ text_as_timestamp(value) if is_text else value }}
    {%- elif column.data_type == 'date' -%}
        {{ text_as_date(value) if is_text else value }}
    {%- elif column.data_type == 'integer' -%}
        {{ text_as_integer(value) if is_text else 'cast(' ~ value ~ ' as bigint)' }}
    {%- elif column.data_type == 'boolean' -%}
        {{ text_as_boolean(value) if is_text else value }}
    {%- elif column.data_type.startswith('decimal') -%}
        {%- set data_type = 'decimal(18, 4)' if column.data_type == 'decimal' else column.data_type -%}
        {{ text_as_decimal(value, data_type) if is_text
            else 'try_cast(' ~ value ~ ' as ' ~ data_type ~ ')' }}
    {%- else -%}
        {%- do exceptions.raise_compiler_error(
            'The contract gives ' ~ column.name ~ ' the type ' ~ column.data_type
            ~ '; known are text, timestamp, date, integer, decimal, decimal(p, s), boolean.'
        ) -%}
    {%- endif -%}
{%- endmacro %}
