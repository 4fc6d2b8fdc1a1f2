{# The rows of a judged table that broke the contract, as given, with the reasons. #}
{% macro quarantined_rows(source_name, table_name) %}
{%- set judged = ref('base_' ~ source_name ~ '__' ~ table_name) -%}
{%- if not execute -%}
select * from {{ judged }}
{%- else %}
select
    {%- for column in contract_of(source_name, table_name).columns %}
    {{ given_value_of(loop.index) }} as {{ column.name }},
    {%- endfor %}
    reasons,
    event_on,
    _file
from {{ judged }}
where {{ list_length('reasons') }} > 0
{%- endif -%}
{% endmacro %}
