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
