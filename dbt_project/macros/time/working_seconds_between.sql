{#
  Whole working seconds between two instants, each given with the calendar day it
  lies in (columns opens_at, closes_at, working_seconds_before), cut down as one.
#}
{% macro working_seconds_between(since, since_day, until, until_day) -%}
    cast(
        {{ until_day }}.working_seconds_before - {{ since_day }}.working_seconds_before
        + floor({{ ratio(
            '(' ~ opened_microseconds(until, until_day)
            ~ ' - ' ~ opened_microseconds(since, since_day) ~ ')',
            microseconds_per_second()
        ) }})
    as bigint)
{%- endmacro %}

{# How much of a day's opening hours has passed at an instant of it. #}
{% macro opened_microseconds(instant, day) -%}
    coalesce(greatest({{ microseconds_between(
        day ~ '.opens_at', 'least(' ~ instant ~ ', ' ~ day ~ '.closes_at)'
    ) }}, 0), 0)
{%- endmacro %}
