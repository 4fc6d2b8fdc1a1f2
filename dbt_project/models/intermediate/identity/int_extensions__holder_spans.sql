-- One row per extension and stretch of time in which one manager holds it. Of
-- assignments that overlap, the one that began last counts, until it ends; a holder
-- who is no manager leaves the stretch without one (NULL).

{{ config(materialized='tracked_table') }}

with extensions as (

    select * from {{ ref('stg_telephony__extensions') }}

),

managers as (

    select * from {{ ref('stg_crm__managers') }}

),

assignments as (

    select
        extensions.extension,
        {{ found('managers.manager_id') }} as manager_id,
        extensions.valid_from,
        coalesce(extensions.valid_to, {{ utc_instant('9999-12-31 00:00:00') }}) as valid_to
    from extensions
    left join managers
        on extensions.manager_id = managers.manager_id

),

turns as (

    select extension, valid_from as turned_at from assignments
    union
    select extension, valid_to as turned_at from assignments

),

stretches as (

    select
        extension,
        turned_at as held_from,
        lead(turned_at) over (partition by extension order by turned_at) as held_until
    from turns

),

final as (

    select
        stretches.extension,
        stretches.held_from,
        stretches.held_until,
        assignments.manager_id
    from stretches
    inner join assignments
        on
            stretches.extension = assignments.extension
            and stretches.held_from >= assignments.valid_from
            and stretches.held_until <= assignments.valid_to
    qualify row_number() over (
        partition by stretches.extension, stretches.held_from
        order by assignments.valid_from desc
    ) = 1

)

select * from final
