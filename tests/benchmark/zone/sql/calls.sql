-- The call legs of one load, with what their evaluation says. Sessions from `first_session` to
-- `last_session` are looked at; new ones of the load are taken, and older ones that come again,
-- corrected or deleted.

create or replace temp table legs as
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

),

sessions as (

    select
        *,
        case
            when person < 0 or draw(session, 'owner') > 0.6
                then seat_of('anyone', draw(session, 'seat'))
            when draw(session, 'job') < 0.6
                then seat_of('lead_generator', draw(person, 'lead_generator'))
            else seat_of('hunter', draw(person, 'hunter'))
        end as seat,
        direction = 'in' and draw(session, 'menu') < 0.7 as has_menu,
        direction = 'in' and draw(session, 'menu') < 0.042 as gives_up,
        direction != 'internal' and draw(session, 'second') < 0.12 as has_second,
        direction != 'internal' and draw(session, 'consults') < 0.03 as has_consultation,
        draw(session, 'answered') < case direction
            when 'in' then 0.82 when 'out' then 0.55 else 0.9
        end as is_answered,
        later(started_at, if(direction = 'in' and draw(session, 'menu') < 0.7, 20, 0))
            as rings_at,
        5 + floor(20 * draw(session, 'ring')) as ring_seconds,
        cast(floor(140 * waiting(session, 'talk')) as bigint) + if(comes_again, 1, 0)
            as talked_seconds,
        phone_number(person) as number
    from with_person

),

numbered as (

    select
        *,
        seat_of('anyone', draw(session, 'other seat')) as other_seat,
        later(rings_at, ring_seconds + if(is_answered, talked_seconds, 15)) as over_at
    from sessions

),

legs as (

    select
        *,
        unnest(list_filter([0, 1, 2, 3], lambda leg: case leg
            when 0 then has_menu
            when 1 then not gives_up
            when 2 then has_second and not gives_up
            else has_consultation and is_answered and not gives_up
        end)) as leg_no
    from numbered

),

timed as (

    select
        *,
        if(leg_no = 3, 'internal', direction) as leg_direction,
        case
            when leg_no in (0, 1) then if(leg_no = 0, started_at, rings_at)
            when leg_no = 2 and is_answered then over_at
            else rings_at
        end as leg_started_at,
        case leg_no
            when 0 then true
            when 1 then is_answered
            when 2 then is_answered and draw(session, 'second answers') < 0.8
            else true
        end as leg_answered,
        case leg_no
            when 0 then 12
            when 1 then talked_seconds
            when 2 then cast(floor(90 * waiting(session, 'second talk')) as bigint)
            else 25
        end as leg_seconds,
        if(leg_no = 0, 1, ring_seconds) as leg_ring,
        case leg_no when 0 then null when 1 then seat else other_seat end as leg_seat
    from legs

)

select
    cast(epoch_us(leg_started_at) // 1000000 as varchar)
        || '.' || cast(session * 4 + leg_no as varchar) as call_id,
    case
        when direction = 'out' and not has_second and not has_consultation
            and draw(session, 'unlinked') < 0.1 then null
        else cast(epoch_us(started_at) // 1000000 as varchar)
            || '.' || cast(session * 4 as varchar)
    end as linked_id,
    -- One in a few thousand is of a kind that no contract knows.
    if(draw(session, 'kind') < 0.0002, 'conference', leg_direction) as direction,
    case leg_direction
        when 'in' then as_dialled(number, draw(session, 'style'))
        when 'out' then line_number(session)
        else cast(1000 + seat as varchar)
    end as from_number,
    case leg_direction
        when 'in' then line_number(session)
        when 'out' then as_dialled(number, draw(session, 'style'))
        else cast(1000 + other_seat as varchar)
    end as to_number,
    cast(1000 + leg_seat as varchar) as extension,
    leg_started_at as started_at,
    if(leg_answered, later(leg_started_at, leg_ring), null) as answered_at,
    case
        when draw(session, 'clock') < 0.0005 then later(leg_started_at, -60)
        when leg_answered then later(leg_started_at, leg_ring + leg_seconds)
        else later(leg_started_at, leg_ring + 15)
    end as ended_at,
    case
        when leg_answered then 'answered'
        when direction = 'in' or draw(session, 'tone') < 0.7 then 'no_answer'
        when draw(session, 'tone') < 0.9 then 'busy'
        when draw(session, 'tone') < 0.95 then 'failed'
        else 'voicemail'
    end as disposition,
    case
        when draw(session, 'unmeasured') < 0.02 then null
        when leg_answered then leg_seconds
        else 0
    end as talk_seconds,
    if(leg_direction = 'internal', null, line_number(session)) as line,
    if(
        leg_answered and leg_seconds > 10,
        'records/' || cast(session * 4 + leg_no as varchar) || '.mp3', null
    ) as recording_url,
    comes_again and is_deletion as is_deleted,
    getvariable('loaded_at')[getvariable('load_no') + 1] as _loaded_at,
    leg_no = 1 and leg_answered and leg_direction != 'internal' and not comes_again
        and draw(session, 'evaluated') < 0.115 as is_evaluated,
    session
from timed;

create or replace temp table evaluations as
select
    call_id,
    later(ended_at, 60 + 1700 * draw(session, 'listens')) as evaluated_at,
    if(draw(session, 'ear') < 0.1, 'human', 'speech-2') as evaluator,
    cast(
        if(draw(session, 'scale') < 0.001, 120, 100 * sqrt(draw(session, 'score')))
        as decimal(9, 2)
    ) as score,
    draw(session, 'needs') < 0.6 as needs_found,
    draw(session, 'presentation') < 0.5 as presentation_made,
    case when draw(session, 'objections') < 0.8 then draw(session, 'objections') < 0.4 end
        as objections_handled,
    draw(session, 'next') < 0.55 as next_step_agreed,
    _loaded_at
from legs
where is_evaluated;
