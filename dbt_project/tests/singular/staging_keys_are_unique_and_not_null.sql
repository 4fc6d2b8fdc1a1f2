-- No two rows of a staging model share the contract's key, and no part of it is NULL.
-- Returns the model, its offending key and how many rows have it.

{% for source_name, table_name in raw_tables() %}
{%- set staged = ref('stg_' ~ source_name ~ '__' ~ table_name) %}
{%- if execute %}
{%- set keys = contract_of(source_name, table_name).columns
    | selectattr('is_key') | map(attribute='name') | list %}
{{ 'union all' if not loop.first }}
select
    '{{ source_name }}.{{ table_name }}' as table_name,
    {% for key in keys -%}
    coalesce(cast({{ key }} as {{ dbt.type_string() }}), 'NULL') {{ "|| ' / ' || " if not loop.last }}
    {%- endfor %} as offending_key,
    count(*) as rows_with_this_key
from {{ staged }}
group by {{ keys | join(', ') }}
having count(*) > 1 or {{ keys | join(' is null or ') }} is null
{%- endif %}
{% endfor %}
