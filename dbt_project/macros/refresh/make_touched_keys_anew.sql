{#
  SQL that makes the rows of touched keys anew and replaces those that differ. Which rows
  went and came is kept for the tables that follow this one.
#}
{% macro make_touched_keys_anew(target, plan) -%}
    {%- set keys = plan.stated.key | join(', ') -%}
    create or replace temp table touched_keys as
    select distinct {{ keys }} from (
        {%- for name in plan.changed %}
        select {{ keys }} from (
            with this as (from {{ target }}), changes as (from {{ changes_of(name) }})
            {{ plan.stated.touched_by[name] }}
        )
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    );
    create or replace temp table recomputed as
    {{ contracted(for_touched_keys(compiled_code)) }};
    create or replace temp table replaced as
    from {{ target }} where ({{ keys }}) in (from touched_keys);
    create or replace table {{ changes_of(model.alias) }} as
    {{ differing_rows('replaced', 'recomputed') }};
    delete from {{ target }}
    where ({{ keys }}) in (select {{ keys }} from {{ changes_of(model.alias) }});
    insert into {{ target }} by name
    from recomputed where ({{ keys }}) in (select {{ keys }} from {{ changes_of(model.alias) }});
    drop table touched_keys;
    drop table recomputed;
    drop table replaced
{%- endmacro %}
