{#
  The digest of a model's SQL, its columns' order and its contract's types;
  orchestration/models/dbt_keep.py makes the same.
#}
{% macro code_of(sql) -%}
    {%- set names = model.columns.values() | map(attribute='name') | join(',') -%}
    {%- do return(local_md5(sql ~ '|' ~ names ~ '|' ~ (model.contract.checksum or ''))) -%}
{%- endmacro %}
