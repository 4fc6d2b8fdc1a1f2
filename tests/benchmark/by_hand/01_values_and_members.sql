-- The engine's limit: kpi_daily and the facts it needs, as one who knows the contract, DuckDB and
-- these files would write them by hand, and nothing else. No trimming, no texts that read as
-- numbers, no reasons for a quarantine, no report, no test, no other mart; raw values have the
-- contract's types. The variables `raw` (the zone) and the contract's defaults are all it knows.
-- The benchmark runs it with the threads and the memory of the refresh, and compares kpi_daily.

create temp macro current_rows(path, key) as table
    select * from read_parquet(getvariable('raw') || path)
    qualify row_number() over (
        partition by key order by updated_at desc nulls last, _loaded_at desc
    ) = 1;
create temp macro local_date(instant) as cast(instant at time zone 'Europe/Moscow' as date);
create temp macro base_amount(amount, rate) as
    try_cast(round(cast(amount as decimal(38, 4)) * rate, 2) as decimal(18, 2));
create temp macro e164(typed) as list_transform(
    [case
        when regexp_full_match(typed, '[+]?[0-9]+') then ltrim(typed, '+')
        else regexp_replace(
            regexp_replace(lower(typed), '(?s)^([^0-9]*[0-9].*?)(доб|ext|x|[,;#]).*$', '\1'),
            '[^0-9]', '', 'g'
        )
    end],
    lambda digits: case
        when length(digits) not between 7 and 20 then null
        when regexp_matches(typed, '^[^0-9]*[+]') then '+' || digits
        when digits like '810%' then '+' || digits[4:]
        when digits like '00%' then '+' || digits[3:]
        when digits like '8%' and length(digits) = 11 then '+7' || digits[2:]
        when length(digits) = 10 and digits[1] in ('9', '8', '4', '3') then '+7' || digits
        when length(digits) between 11 and 15 then '+' || digits
        else digits
    end
)[1];

-- Members.
create temp table managers as
select distinct manager_id
from read_parquet(getvariable('raw') || '/crm/managers/*.parquet')
where full_name is not null and (dismissed_on >= hired_on or dismissed_on is null or hired_on is null);

create temp table sources as
select distinct source_id
from read_parquet(getvariable('raw') || '/crm/sources/*.parquet')
where name is not null;

create temp table stages as
select stage_id, kind
from read_parquet(getvariable('raw') || '/crm/stages/*.parquet')
where kind in ('open', 'presale', 'won', 'lost')
qualify row_number() over (partition by stage_id order by _loaded_at desc) = 1;

create temp table rates as
with current_rates as (

    select rate_date, currency, cast(rate as decimal(18, 8)) as rate
    from read_parquet(getvariable('raw') || '/finance/exchange_rates/*.parquet')
    where rate > 0 and currency != 'RUB'
    qualify row_number() over (partition by rate_date, currency order by _loaded_at desc) = 1

)

select
    currency,
    rate,
    rate_date as holds_from,
    lead(rate_date, 1, date '9999-12-31') over (
        partition by currency order by rate_date
    ) as holds_until
from current_rates
union all
select 'RUB', 1, date '0001-01-01', date '9999-12-31';

create temp table holders as
select
    extensions.extension,
    managers.manager_id,
    extensions.valid_from as held_from,
    least(
        coalesce(extensions.valid_to, timestamptz '9999-12-31 00:00:00+00'),
        lead(extensions.valid_from, 1, timestamptz '9999-12-31 00:00:00+00') over (
            partition by extensions.extension order by extensions.valid_from
        )
    ) as held_until
from (
    select * from read_parquet(getvariable('raw') || '/telephony/extensions/*.parquet')
    where valid_to > valid_from or valid_to is null
    qualify row_number() over (partition by extension, valid_from order by _loaded_at desc) = 1
) as extensions
left join managers on extensions.manager_id = managers.manager_id;
