-- The call legs of one load, with what their evaluation says. Sessions from `first_session` to
-- `last_session` are looked at; new ones of the load are taken, and older ones that come again,
-- corrected or deleted.

create or replace temp view sessions_of_load as
with candidates as (

    select
        session,
        session_week(session) as week,
        moment(session_week(session)) as started_at
    from range(getvariable('first_session'), getvariable('last_session')) as sessions(session)

),

loaded as (

    select
        *,
        load_of(session, started_at) as load_no
    from candidates

),

chosen as (

    select *, load_no != getvariable('load_no') as comes_again, draw(session, 'deleted') < 0.3 as is_deletion
    from loaded
    where
        load_no = getvariable('load_no')
        or (
            load_no = getvariable('load_no') - 1
            and getvariable('load_no') <= getvariable('last_month')
            and draw(session, 'again') < 0.003
        )
        or (
            load_no <= getvariable('last_month')
            and started_at >= getvariable('end_at') - interval 60 day
            and day_of_change(session, 'corrected', getvariable('change_share')) = getvariable('load_no')
        )

),

with_origin as (

    select
        *,
        cast(floor(
            session * getvariable('contacts_a_week') / getvariable('sessions_a_week')
        ) as bigint) as candidate
    from chosen

),

with_direction as (

    select
        *,
        first_session(candidate) = session and calls_first(candidate) as is_origin,
        case
            when first_session(candidate) = session and calls_first(candidate)
                then if(draw(session, 'direction') < 0.7, 'in', 'out')
            when draw(session, 'direction') < 0.44 then 'in'
            when draw(session, 'direction') < 0.93 then 'out'
            else 'internal'
        end as direction
    from with_origin

),

-- A quarter of the outbound calls go back to who was on the phone within the last hours.
with_model as (

    select
        *,
        case
            when direction = 'out' and not is_origin and draw(session, 'calls back') < 0.25
                then greatest(0, session - 1 - cast(floor(
                    draw(session, 'ago') * getvariable('sessions_a_week') / 20
                ) as bigint))
            else session
        end as model
    from with_direction

),

with_person as (

    select
        *,
        case
            when is_origin then candidate
            when
                draw(model, 'stranger') < 0.2
                then -1 - cast(floor(draw(model, 'who') * getvariable('strangers')) as bigint)
            else contact_at_week(session_week(model) * (1 - 0.9 * pow(draw(model, 'who'), 4)))
        end as person
    from with_model

)

select * from with_person;
