{#
  The current version of every key of a judged table: the greatest `updated_at`,
  then `_loaded_at`, then the values themselves, so that the order of files never
  matters. Deleted rows go; where the contract keeps deleted members, they stay
  with the values of their greatest whole version.
#}
{% macro current_versions(source_name, table_name, partition_month='') %}
{%- set judged_name = 'base_' ~ source_name ~ '__' ~ table_name -%}
{{ config(materialized='touched_keys', meta={
    'raw_table': source_name ~ '.' ~ table_name, 'touched_by': [judged_name],
    'partition_month': partition_month,
}) }}
{%- set judged = ref(judged_name) -%}
{%- if not execute -%}
select * from {{ judged }}
{%- else -%}
{%- set contract = contract_of(source_name, table_name) -%}
{%- set names = contract.columns | map(attribute='name') | list -%}
{%- set keys = contract.columns | selectattr('is_key') | map(attribute='name') | list -%}
{%- set ties = names | reject('in', keys + ['updated_at', '_loaded_at']) | list -%}
{%- set key_hash = 'hash(' ~ keys | join(', ') ~ ')' -%}
-- Read more than once: a copy would cost more.
with judged as {{ not_materialized_if_whole() }} (

    select * from {{ judged }}
    {{ where_touched(keys | join(', ')) }}

),

kept as {{ not_materialized_if_whole() }} (

    select
        {{ names | join(',\n        ') }},
        is_whole,
        event_on
    from judged
    where {{ list_length('reasons') }} = 0

),

{% if contract.keeps_deleted -%}
fates as (

    select
        {{ keys | join(', ') }},
        coalesce(is_deleted, false) as is_deleted
    from kept
    qualify row_number() over (partition by {{ keys | join(', ') }} order by {{ newest_first(ties) }}) = 1

),

whole as (

    select *
    from kept
    where is_whole
    qualify row_number() over (partition by {{ keys | join(', ') }} order by {{ newest_first(ties) }}) = 1

),

final as (

    select
        {%- for name in names %}
        {{ 'fates' if name == 'is_deleted' else 'whole' }}.{{ name }},
        {%- endfor %}
        whole.event_on
    from whole
    inner join fates using ({{ keys | join(', ') }})

)
{%- else -%}
-- Few keys have several versions, and only these are put in order. Hashes of keys are found
-- sooner than keys; one that two keys share costs no more than an ordering for nothing.
several as {{ materialized() }} (

    select {{ key_hash }} as key_hash
    from kept
    group by 1
    having count(*) > 1

),

latest as (

    select *
    from kept
    anti join several on {{ key_hash }} = key_hash
    union all
    select *
    from kept
    semi join several on {{ key_hash }} = key_hash
    qualify row_number() over (partition by {{ keys | join(', ') }} order by {{ newest_first(ties) }}) = 1

),

final as (

    select
        {{ names | reject('equalto', 'is_deleted') | join(',\n        ') }},
        event_on
    from latest
    where is_deleted is not true

)
{%- endif %}

select * from final
{%- endif -%}
{% endmacro %}
