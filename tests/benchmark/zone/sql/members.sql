-- People, extensions, sources, pipelines and stages; plans and money. Exported whole with the last
-- month, then row by row.

create temp table export_managers as
with people as (

    select seat as number, seat, null as came_week
    from range(getvariable('seats')) as seats(seat)

    union all

    select sitting(seat, 1000) as number, seat, change_week(seat) as came_week
    from range(getvariable('seats')) as seats(seat)
    where seat % 7 = 3

)

select
    manager_id(number) as manager_id,
    'Сотрудник ' || (number + 1) as full_name,
    'm' || (number + 1) || if(load_no > getvariable('last_month'), '.new', '') || '@voronka.example' as email,
    'Отдел ' || (1 + seat * 16 // getvariable('seats')) as team,
    case
        when seat < seat_of('hunter', 0) then 'lead_generator'
        when seat < seat_of('farmer', 0) then 'hunter'
        when seat < seat_of('anyone', 1) then 'farmer'
        else 'head'
    end as role,
    coalesce(cast(timezone('UTC', moment(came_week)) as date), date '2023-03-01') as hired_on,
    case
        when seat % 7 = 3 and came_week is null
            then cast(timezone('UTC', moment(change_week(seat))) as date)
    end as dismissed_on,
    timestamptz '2024-09-01 00:00:00+00' + to_days(load_no) as updated_at,
    seat % 7 = 3 and came_week is null and seat % 2 = 0 as is_deleted,
    load_no
from people, (
    select unnest(range(getvariable('last_month'), getvariable('loads'))) as load_no
)
-- One person a day is exported anew.
where load_no = getvariable('last_month') or number = load_no;

create temp table export_extensions as
select
    cast(1000 + seat as varchar) as extension,
    timestamptz '2023-03-01 00:00:00+00' as valid_from,
    manager_id(seat) as manager_id,
    case when seat % 7 = 3 then moment(change_week(seat)) end as valid_to,
    getvariable('last_month') as load_no
from range(getvariable('seats')) as seats(seat)
union all
select
    cast(1000 + seat as varchar), moment(change_week(seat)), manager_id(sitting(seat, 1000)), null,
    getvariable('last_month')
from range(getvariable('seats')) as seats(seat)
where seat % 7 = 3;

create temp table export_sources as
select 's-' || lpad(cast(i as varchar), 2, '0') as source_id, name, channel, i = 12 as is_deleted,
    getvariable('last_month') as load_no
from (
    select unnest(range(1, 13)) as i,
        unnest([
            'Яндекс Директ', 'Google Ads', 'Рекомендации', 'Холодная база', 'Сайт', 'VK Реклама',
            'Telegram', 'Выставки', 'Партнёры', 'Маркетплейс', 'Авито', 'Радио'
        ]) as name,
        unnest([
            'yandex_direct', 'google_ads', 'referral', 'cold', 'site', 'vk_ads', 'telegram_ads',
            'exhibition', 'partners', 'marketplace', 'avito', 'radio'
        ]) as channel
);

create temp table export_pipelines as
select *, getvariable('last_month') as load_no
from (values ('p1', 'Новые продажи'), ('p2', 'Повторные продажи')) as pipelines(pipeline_id, name);

create temp table export_stages as
select
    'p' || pipeline || '-' || stage as stage_id,
    'p' || pipeline as pipeline_id,
    case stage when 'won' then 'Оплачено' when 'lost' then 'Отказ' else 'Этап ' || stage end as name,
    position,
    case
        when stage in ('won', 'lost') then stage
        when position = if(pipeline = 1, 6, 3) then 'presale'
        else 'open'
    end as kind,
    getvariable('last_month') as load_no
from (
    select 1 as pipeline, unnest(['1', '2', '3', '4', '5', '6', 'won', 'lost']) as stage,
        unnest(range(1, 9)) as position
    union all
    select 2, unnest(['1', '2', '3', 'won', 'lost']), unnest(range(1, 6))
);

create temp table export_quotas as
select
    manager_id(number) as manager_id,
    metric,
    'month' as period,
    cast(getvariable('first_month') + to_months(month) as date) as period_start,
    cast(target * (0.8 + 0.4 * draw(number, metric)) as decimal(18, 2)) as target,
    getvariable('last_month') as load_no
from range(getvariable('seats')) as people(number), range(25) as months(month),
    (values ('calls_60s', 500), ('meetings_set', 12), ('leads_taken', 40), ('revenue', 900000), ('win_rate', 0.3))
        as plans(metric, target);

create temp table export_ad_spend as
select
    cast(getvariable('first_day') as date) + cast(day as integer) as spend_date,
    's-' || lpad(cast(source as varchar), 2, '0') as source_id,
    if(draw(day, source) < 0.02, null, 'campaign-' || campaign) as campaign,
    cast(1500 + 4000 * draw(day * 100 + source, campaign) as decimal(18, 2)) as cost,
    if(source = 2, 'USD', 'RUB') as currency,
    cast(floor(20000 * draw(day, campaign)) as bigint) as impressions,
    cast(floor(300 * draw(day, campaign)) as bigint) as clicks,
    if(day < 730, getvariable('last_month'), getvariable('last_month') + day - 729) as load_no
from range(740) as days(day), range(1, 12, 1) as sources(source), range(1, 6) as campaigns(campaign)
where source in (1, 2, 6, 7, 11);

create temp table export_sales_costs as
select
    cast(getvariable('first_month') + to_months(month) as date) as month,
    'Отдел ' || (team + 1) as team,
    cast(400000 + 200000 * draw(month, team) as decimal(18, 2)) as cost,
    'RUB' as currency,
    getvariable('last_month') as load_no
from range(24) as months(month), range(16) as teams(team);

-- None at weekends; one of three days before the end comes a day late.
create temp table export_exchange_rates as
select
    cast(getvariable('first_day') as date) + cast(day as integer) as rate_date,
    currency,
    cast(base * (0.9 + 0.2 * draw(day, currency)) as decimal(18, 6)) as rate,
    case
        when currency = 'USD' and day = 727 then getvariable('last_month') + 1
        when day < 730 then getvariable('last_month')
        else getvariable('last_month') + day - 729
    end as load_no
from range(740) as days(day),
    (values ('USD', 90), ('EUR', 98), ('CNY', 12.5), ('KZT', 0.18)) as currencies(currency, base)
where isodow(cast(getvariable('first_day') as date) + cast(day as integer)) < 6;
