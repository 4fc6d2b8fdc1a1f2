-- One row per hour of the days of `time_spine_day`, on local clocks.

with days as (

    select * from {{ ref('time_spine_day') }}

),

final as (

    {%- for hour in range(24) %}
    select cast(date_day as {{ type_wall_time() }}) + interval '{{ hour }}' hour as date_hour
    from days
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select * from final
