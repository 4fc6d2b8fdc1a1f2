{#
  The terms of a model that is materialized as `touched_keys`, as its `config(meta=...)` has them:
    key          columns whose rows are rebuilt together; or `raw_table`, whose keys they are;
    touched_by   for each input that may change, the SQL of the keys that a change in it touches.
                 It reads `changes` (the input's rows that went and came), `this` (the model as it
                 was) and any input by its name. A list of inputs: theirs are the same keys.
  A change in any other input rebuilds the whole table.
#}
{% macro refresh_terms() -%}
    {%- set meta = config.get('meta') or {} -%}
    {%- set key = meta.get('key') or keys_of(meta.get('raw_table')) -%}
    {%- set touched_by = meta.get('touched_by') or {} -%}
    {%- set terms = {'key': [key] if key is string else key, 'touched_by': {}} -%}
    {%- for name in touched_by -%}
        {%- set same_keys = 'select ' ~ terms.key | join(', ') ~ ' from changes' -%}
        {%- do terms.touched_by.update({name: touched_by[name] if touched_by is mapping else same_keys}) -%}
    {%- endfor -%}
    {%- do return(terms) -%}
{%- endmacro %}

{# The columns of a raw table that are its key. #}
{% macro keys_of(raw_table) -%}
    {%- set columns = contract_of(*raw_table.split('.')).columns -%}
    {%- do return(columns | selectattr('is_key') | map(attribute='name') | list) -%}
{%- endmacro %}
