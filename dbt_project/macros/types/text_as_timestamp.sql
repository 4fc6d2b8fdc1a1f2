{#
  The instant that a text names, NULL when it names none. The grammar is the raw
  contract's; digits after the microsecond are cut; a text without an offset is
  in `source_timezone`.
#}
{% macro text_as_timestamp(value) -%}
    {{ return(adapter.dispatch('text_as_timestamp', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__text_as_timestamp(value) -%}
    {%- set offset -%}
        regexp_extract(substr({{ value }}, 11), '(Z|[+-][0-9:]+)$', 1)
    {%- endset -%}
    {%- set wall -%}
        try_cast(replace(regexp_extract(
            {{ value }}, '^[0-9-]{10}([T ][0-9:]{5,8}([.][0-9]{1,6})?)?'
        ), 'T', ' ') as timestamp)
    {%- endset -%}
    case
        when not regexp_matches({{ value }}, '{{ timestamp_grammar() }}') then null
        when {{ offset }} = '' then {{ instant_of_wall_time(wall) }}
        when {{ offset }} = 'Z' then {{ wall }} at time zone 'UTC'
        else ({{ wall }} at time zone 'UTC') - to_minutes(
            try_cast({{ offset }}[1] || '1' as integer) * (
                60 * try_cast({{ offset }}[2:3] as integer)
                + coalesce(try_cast(replace({{ offset }}[4:], ':', '') as integer), 0)
            )
        )
    end
{%- endmacro %}
