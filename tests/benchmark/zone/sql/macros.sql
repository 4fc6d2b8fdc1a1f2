-- The company's laws. Every figure is a hash of what it belongs to, so the same arguments give the
-- same zone. Time runs in weeks since the first day: `moment` maps them to instants, fast by day
-- and slow by night, so that what is even in weeks keeps the hours of an office.
-- Contacts and sessions are whole numbers in order of time.

-- Hashed again: DuckDB only xors the hashes of several arguments.
create macro draw(key, salt) as (hash(hash(key, salt)) >> 11) / 9007199254740992.0;
create macro waiting(key, salt) as -ln(1 - draw(key, salt));

create macro place(point) as
    getvariable('instants')[cast(floor(point) as bigint) + 1] + cast(
        (point - floor(point)) * (
            getvariable('instants')[cast(floor(point) as bigint) + 2]
            - getvariable('instants')[cast(floor(point) as bigint) + 1]
        ) as bigint
    );
create macro moment(week) as make_timestamptz(
    cast(getvariable('start_us') + cast(floor(week) as bigint) * 604800000000
    + place((week - floor(week)) * getvariable('points')) as bigint)
);
create macro later(instant, seconds) as instant + to_microseconds(cast(seconds * 1e6 as bigint));

-- Which load brings a row: 0 to `last_month` are the history's months, the days after it follow.
create macro is_late(key, instant) as
    instant >= getvariable('end_at') - interval 45 day
    and instant < getvariable('end_at')
    and draw(key, 'late') < 10 * getvariable('late_share');
create macro month_no(instant) as datediff(
    'month', getvariable('first_month'), timezone('UTC', instant) + interval 3 hour
);
create macro punctual_load(instant) as case
    when instant < getvariable('end_at') then month_no(instant)
    else getvariable('last_month') + 1
        + cast(floor(epoch(instant - getvariable('end_at')) / 86400) as bigint)
end;
create macro load_of(key, instant) as case
    when is_late(key, instant)
        then getvariable('last_month') + 1
            + cast(floor(draw(key, 'late') / getvariable('late_share')) as bigint)
    else punctual_load(instant)
end;
-- Ten days of changes to rows of the last sixty: which load brings this one, if any.
create macro day_of_change(key, salt, share) as case
    when draw(key, salt) < 10 * share
        then getvariable('last_month') + 1 + cast(floor(draw(key, salt) / share) as bigint)
end;

-- People: seats with an extension each, and who sits there.
create macro seat_of(job, fraction) as cast(floor(getvariable('seats') * case job
    when 'lead_generator' then 0.4 * fraction
    when 'hunter' then 0.4 + 0.4 * fraction
    when 'farmer' then 0.8 + 0.15 * fraction
    else 0.95 * fraction
end) as bigint);
create macro change_week(seat) as 10 + 90 * draw(seat, 'leaves');
create macro sitting(seat, week) as case
    when seat % 7 = 3 and week >= change_week(seat) then getvariable('seats') + seat // 7
    else seat
end;
create macro manager_id(number) as 'm-' || lpad(cast(number + 1 as varchar), 4, '0');
create macro manager_of(job, key, week) as manager_id(sitting(seat_of(job, draw(key, job)), week));

-- Contacts: more than half call first, the others write.
create macro session_week(session) as
    (session + draw(session, 'at')) / getvariable('sessions_a_week');
create macro calls_first(contact) as draw(contact, 'calls first') < 0.55;
create macro first_session(contact) as cast(floor(
    (contact + draw(contact, 'session'))
    * (getvariable('sessions_a_week') / getvariable('contacts_a_week'))
) as bigint);
create macro contact_week(contact) as case
    when calls_first(contact) then session_week(first_session(contact))
    else (contact + draw(contact, 'at')) / getvariable('contacts_a_week')
end;
-- Telephony makes the contact while the phone rings.
create macro contact_at(contact) as later(
    moment(contact_week(contact)),
    case when calls_first(contact) then 20 + 100 * draw(contact, 'made') else 0 end
);
create macro contact_at_week(week) as cast(floor(week * getvariable('contacts_a_week')) as bigint);
create macro contact_id(contact) as cast(100000 + contact as varchar);
create macro source_id(contact) as
    's-' || lpad(cast(1 + floor(12 * pow(draw(contact, 'source'), 1.7)) as varchar), 2, '0');

-- Numbers: of contacts, some of them abroad, and below zero of people nobody knows.
create macro phone_number(person) as case
    when person < 0 then '+7495' || lpad(cast((-person * 7919 + 13) % 10000000 as varchar), 7, '0')
    when person % 50 = 17 then '+37529' || lpad(cast(person % 10000000 as varchar), 7, '0')
    else '+79' || lpad(cast((person * 611953 + 7) % 1000000000 as varchar), 9, '0')
end;
create macro as_typed(number, style) as case
    when number[1:2] != '+7' then number
    when style < 0.45 then number
    when style < 0.70 then '8' || number[3:]
    when style < 0.80 then number[2:]
    when style < 0.90
        then '+7 (' || number[3:5] || ') ' || number[6:8] || '-' || number[9:10] || '-' || number[11:]
    when style < 0.97 then '8 ' || number[3:5] || ' ' || number[6:8] || ' ' || number[9:]
    else number || ' доб. 12'
end;
create macro as_dialled(number, style) as case
    when number[1:2] != '+7' or style < 0.6 then number
    when style < 0.8 then '8' || number[3:]
    else number[2:]
end;
create macro line_number(key) as '+7495000' || (1010 + cast(floor(6 * draw(key, 'line')) as bigint));
create macro currency_of(key) as case
    when draw(key, 'currency') < 0.015 then 'USD'
    when draw(key, 'currency') < 0.025 then 'EUR'
    when draw(key, 'currency') < 0.04 then 'CNY'
    when draw(key, 'currency') < 0.0405 then 'XXX'
    when draw(key, 'currency') < 0.6 then 'RUB'
end;
