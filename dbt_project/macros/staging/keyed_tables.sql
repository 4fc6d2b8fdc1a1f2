{#
  Every raw table with the columns that tell its rows apart: `types` of all; `keys`; `fixed`, what never changes
  of a row; `values`, all that no rule of versions reads. Known only when models run.
#}
{% macro keyed_tables() %}
    {%- set found_tables = [] -%}
    {%- for source_name, table_name in raw_tables() -%}
        {%- set columns = contract_of(source_name, table_name).columns -%}
        {%- set keys = columns | selectattr('is_key') | map(attribute='name') | list -%}
        {%- set types = {} -%}
        {%- for column in columns -%}
            {%- do types.update({column.name: column.data_type}) -%}
        {%- endfor -%}
        {%- do found_tables.append({
            'source_name': source_name,
            'table_name': table_name,
            'types': types,
            'keys': keys,
            'fixed': columns | selectattr('never_changes') | map(attribute='name') | list,
            'values': columns | map(attribute='name')
                | reject('in', keys + ['updated_at', '_loaded_at', 'is_deleted']) | list,
        }) -%}
    {%- endfor -%}
    {%- do return(found_tables) -%}
{% endmacro %}
