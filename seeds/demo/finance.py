"""Money around the department: exchange rates, advertising, monthly costs, quotas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from seeds.demo import company
from seeds.demo.clock import Calendar, add_months

# Roubles for one unit on the first day, and the daily step as a share. Invented.
CURRENCIES = {"USD": (81.5, 0.006), "EUR": (93.2, 0.006), "CNY": (11.3, 0.004)}
RATES_AHEAD_DAYS = 12
# Source, campaign, currency, cost of an ordinary day, clicks of a day.
CAMPAIGNS = (
    ("google_ads", "b2b_search", "USD", 235.0, 95),
    ("google_ads", "remarketing", "USD", 84.0, 60),
    ("yandex_direct", "poisk_opt", "RUB", 31_000.0, 140),
    ("yandex_direct", "rsya_b2b", None, 17_500.0, 210),
    ("website", None, "RUB", 9_800.0, 0),
)
EXHIBITION_DAY = 48
TEAM_COSTS = {"Лидогенерация": 460_000, "Продажи": 790_000, "Сопровождение": 310_000}


@dataclass(slots=True)
class Rate:
    """Roubles for one unit of a currency on a day."""

    day: date
    currency: str
    rate: float


@dataclass(slots=True)
class Spend:
    """Advertising of a day; cost in hundredths of the currency."""

    day: date
    source: str
    campaign: str | None
    cost: int
    currency: str | None
    impressions: int | None
    clicks: int | None


@dataclass(slots=True)
class Quota:
    """A target of a person."""

    person: int
    metric: str
    period: str
    start: date
    target: float


def exchange_rates(calendar: Calendar, rng: Random) -> list[Rate]:
    """Rates of every day but Sunday and Monday, when none is set."""
    rates = []
    for currency, (first, step) in CURRENCIES.items():
        level = first
        day = calendar.start - timedelta(days=RATES_AHEAD_DAYS)
        while day < calendar.end:
            level *= 1 + rng.gauss(0, step)
            if day.weekday() not in (6, 0):
                rates.append(Rate(day, currency, round(level, 4)))
            day += timedelta(days=1)
    return rates


def ad_spend(calendar: Calendar, rng: Random) -> list[Spend]:
    """Daily spend of each campaign, less at weekends, and one exhibition."""
    rows = []
    for day in calendar.days:
        quiet = 1.0 if calendar.hours(day) else 0.45
        for source, campaign, currency, cost, clicks in CAMPAIGNS:
            factor = quiet * rng.uniform(0.85, 1.15)
            paid_clicks = round(clicks * factor) if clicks else None
            shown = paid_clicks * rng.randint(28, 45) if paid_clicks else None
            spent = round(cost * factor * 100)
            rows.append(Spend(day, source, campaign, spent, currency, shown, paid_clicks))
    if len(calendar.days) > EXHIBITION_DAY:
        day = calendar.days[EXHIBITION_DAY]
        rows.append(Spend(day, "exhibition", "Стенд", 48_000_000, "RUB", None, None))
    return rows


def sales_costs(calendar: Calendar, rng: Random) -> list[tuple[date, str, int]]:
    """(month, team, cost in hundredths of a rouble)."""
    return [
        (add_months(calendar.start, month), team, round(cost * rng.uniform(0.97, 1.05)) * 100)
        for month in range(calendar.months)
        for team, cost in TEAM_COSTS.items()
    ]


# Role: (metric, period, target); a lead generator's follow from the rates.
TARGETS: dict[str, tuple[tuple[str, str, float], ...]] = {
    "hunter": (
        ("revenue", "month", 4_500_000),
        ("deals_won", "month", 18),
        ("meetings_held", "week", 12),
    ),
    "farmer": (
        ("upsells_won", "month", 5),
        ("revenue_repeat", "quarter", 4_500_000),
        ("csat", "quarter", 0.8),
    ),
    "head": (("calls_answered", "quarter", 60),),
}
WORKING_DAYS_A_MONTH = 21


def quotas(calendar: Calendar) -> list[Quota]:
    """Targets of a day, week, month and quarter, for those who work there then."""
    starts = period_starts(calendar)
    leave_day = company.leave_day(calendar)
    rows = []
    for person in company.PEOPLE:
        targets = TARGETS.get(person.role) or _lead_generator_targets(person.key)
        for metric, period, target in targets:
            for day in starts[period]:
                gone = person.key == company.LEAVER and day >= leave_day
                absent = person.key == company.SUCCESSOR and day < leave_day
                if not gone and not absent:
                    rows.append(Quota(person.key, metric, period, day, target))
    return rows


def period_starts(calendar: Calendar) -> dict[str, list[date]]:
    """First days of the periods of the range; of days the working ones."""
    months = [add_months(calendar.start, month) for month in range(calendar.months)]
    return {
        "day": calendar.working_days,
        "week": [day for day in calendar.days if day.weekday() == 0],
        "month": months,
        "quarter": sorted({date(m.year, (m.month - 1) // 3 * 3 + 1, 1) for m in months}),
    }


def _lead_generator_targets(person: int) -> tuple[tuple[str, str, float], ...]:
    rate = company.BASE_RATES[person]
    return (
        ("calls_60s", "day", round(rate.calls * 0.45)),
        ("meetings_set", "week", rate.set * 5),
        ("set_meetings_held", "month", round(rate.held * WORKING_DAYS_A_MONTH)),
        ("set_meetings_paid", "month", round(rate.paid * WORKING_DAYS_A_MONTH)),
        ("answer_rate", "month", 0.6),
    )
