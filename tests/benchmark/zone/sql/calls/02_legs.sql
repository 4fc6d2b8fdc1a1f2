-- Their legs: menus and queues, and who answered.
create or replace temp table legs as
with sessions as (

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
    from sessions_of_load

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
