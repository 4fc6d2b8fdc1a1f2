{#
  The raw contract of one table as its source's YAML states it: `columns` in
  order (name, data_type and the keys of meta), `rules`, `keeps_deleted`.
  Known only when models run: while dbt parses, sources may not be read yet.
#}
{% macro contract_of(source_name, table_name) %}
    {%- set node = graph.sources['source.voronka.' ~ source_name ~ '.' ~ table_name] -%}
    {%- set columns = [] -%}
    {%- for column in node.columns.values() -%}
        {%- set meta = column.config.meta or {} -%}
        {%- do columns.append({
            'name': column.name,
            'data_type': column.data_type,
            'is_key': meta.get('key', false),
            'is_required': (meta.get('key', false) or meta.get('required', false))
                and not meta.get('nullable_key', false),
            'is_nullable_key': meta.get('nullable_key', false),
            'codes': meta.get('values', []),
            'unknown_code': meta.get('unknown_value'),
            'quarantines_unknown_code': (
                meta.get('values') and meta.get('unknown_value') != 'other'
                and (meta.get('key') or meta.get('required')
                    or meta.get('unknown_value') == 'quarantine')
            ),
            'synonyms': meta.get('synonyms', {}),
            'normalise': meta.get('normalise'),
            'references': meta.get('references'),
            'never_changes': meta.get('never_changes', false),
        }) -%}
    {%- endfor -%}
    {%- do return({
        'columns': columns,
        'rules': node.config.meta.get('rules', []),
        'keeps_deleted': node.config.meta.get('keeps_deleted', false),
    }) -%}
{% endmacro %}
