{#
  The references of every raw table: [source, table, column, parent model, parent
  key, whether the table keeps deleted rows]. Known only when models run.
#}
{% macro all_references() %}
    {%- set found_references = [] -%}
    {%- for source_name, table_name in raw_tables() -%}
        {%- set contract = contract_of(source_name, table_name) -%}
        {%- for column in contract.columns if column.references -%}
            {%- set parent_source, parent_table = column.references.split('.') -%}
            {%- set parent = contract_of(parent_source, parent_table) -%}
            {%- do found_references.append({
                'source_name': source_name,
                'table_name': table_name,
                'column': column.name,
                'keeps_deleted': contract.keeps_deleted,
                'parent_model': 'stg_' ~ parent_source ~ '__' ~ parent_table,
                'parent_key': (parent.columns | selectattr('is_key') | first).name,
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do return(found_references) -%}
{% endmacro %}
