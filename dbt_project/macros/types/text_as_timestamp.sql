{#
  The instant that a text names, NULL when it names none. The grammar is the raw
  contract's; digits after the microsecond are cut; a text without an offset is
  in `source_timezone`.
#}
{% macro text_as_timestamp(value) -%}
    {{ return(adapter.dispatch('text_as_timestamp', 'voronka')(value)) }}
{%- endmacro %}

{% macro duckdb__text_as_timestamp(value) -%}
    {#- The engine wants seconds before an offset. -#}
    {%- set with_seconds -%}
        case
            when substr({{ value }}, 17, 1) = ':' then {{ value }}
            else regexp_replace({{ value }}, '([T ]..:..)(Z|[+-].*)?$', '\1:00\2')
        end
    {%- endset -%}
    case
        when not regexp_matches({{ value }}, '{{ timestamp_grammar() }}') then null
        when
            {{ value }} like '%Z'
            or substr({{ value }}, 17) like '%+%'
            or substr({{ value }}, 17) like '%-%'
            then try_cast({{ with_seconds }} as timestamp with time zone)
        else {{ instant_of_wall_time('try_cast(' ~ with_seconds ~ ' as timestamp)') }}
    end
{%- endmacro %}

{% macro spark__text_as_timestamp(value) -%}
    {#- The engine wants seconds, six digits after them, and no offset beyond 18 hours: what it
        reads is the time on the clock, and the offset is subtracted from it. -#}
    {%- set wall_time -%}
        try_cast(
            substr({{ value }}, 1, 16)
            || case
                when substr({{ value }}, 17, 1) = ':'
                    then regexp_extract(substr({{ value }}, 17), '^:[0-9]{2}([.][0-9]{1,6})?', 0)
                when length({{ value }}) > 10 then ':00'
                else ''
            end
            as timestamp_ntz
        )
    {%- endset -%}
    {%- set offset = "regexp_extract(substr(" ~ value ~ ", 17), '[+-].*', 0)" -%}
    case
        when not {{ value }} rlike r'{{ timestamp_grammar() }}\z' then null
        when {{ value }} like '%Z' then cast({{ wall_time }} as timestamp)
        when {{ offset }} != '' then timestampadd(
            minute,
            -60 * try_cast(substr({{ offset }}, 1, 3) as integer) - case
                when length({{ offset }}) > 3
                    then try_cast(substr({{ offset }}, 1, 1) || right({{ offset }}, 2) as integer)
                else 0
            end,
            cast({{ wall_time }} as timestamp)
        )
        else {{ instant_of_wall_time(wall_time) }}
    end
{%- endmacro %}
