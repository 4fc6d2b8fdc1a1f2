"""The rows of a small random company, before anybody makes them dirty.

Times lie close together and on boundaries, and keys are few, so that the joins that matter hit.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from .variables import GRAINS, period_start

Row = dict[str, Any]
Rows = dict[str, list[Row]]
MOSCOW = ZoneInfo("Europe/Moscow")
MICROSECOND = timedelta(microseconds=1)
_EDGES = (timedelta(), -MICROSECOND, MICROSECOND, timedelta(seconds=-1), timedelta(seconds=1))
_SOON = (
    timedelta(),
    MICROSECOND,
    timedelta(seconds=1, microseconds=999_999),
    timedelta(seconds=59),
    timedelta(seconds=300),
    timedelta(seconds=300) + MICROSECOND,
    timedelta(seconds=301),
    timedelta(hours=1),
    timedelta(hours=24),
    timedelta(hours=24) + MICROSECOND,
)
_METRICS = (
    "calls calls_60s talk_seconds meetings_set set_meetings_held set_meetings_paid revenue "
    "new_customers won_amount deals_won win_rate avg_cycle_days median_cycle_days csat open_deals "
    "open_amount presale_deals presale_amount talk_minutes sales_actions leads_taken "
    "median_response_minutes answer_rate cycle_days_won cac happiness manager_id ad_spend"
)
# Numbers as (national ten digits, spellings); the rest are foreign, short or no numbers at all.
_RUSSIAN = ("9161234567", "8121234567", "4957654321", "9031112233")
_SPELLINGS = (
    "+7 ({0}) {1}-{2}-{3}",
    "8 {0} {1} {2} {3}",
    "8({0}){1}-{2}-{3} доб. 12",
    "{0}{1}{2}{3}",
    "7{0}{1}{2}{3}",
    "+7{0}{1}{2}{3},,5",
    "+7 {0} {1} {2} {3} ДОБ.4",
    "8-{0}-{1}-{2}-{3} EXT 77",
    "(+7){0} {1}{2}{3}#1",
    "x7{0}{1}{2}{3}",
    "тел. 8 {0} {1}{2}{3}; спросить Анну",
    "007{0}{1}{2}{3}",
)
_OTHERS = (
    ("+49 30 123456", "8 10 49 30 123456", "004930123456", "+4930123456x9"),
    ("+1 (212) 555-01-00", "12125550100", "810 1 212 555 0100"),
    ("123-45-67", "1234567", "123 45 67 доб 3"),
    ("anonymous", "нет", "12345", "ext 5, 89161234567", "+", "1234567890123456", "8101234"),
)


def spelled(rng: random.Random, number: int) -> str:
    """One spelling of the number with this index."""
    if number < len(_RUSSIAN):
        digits = _RUSSIAN[number]
        parts = (digits[:3], digits[3:6], digits[6:8], digits[8:])
        return rng.choice(_SPELLINGS).format(*parts)
    return rng.choice(_OTHERS[(number - len(_RUSSIAN)) % len(_OTHERS)])


@dataclass
class Company:
    """Makes the rows of every table; `mess` is the probability of anything odd.

    A company of a greater `size` has so many times the deals and what happens to them, over more
    than a year, and more of them closed: from about 10 on something can be learned of it.
    """

    rng: random.Random
    mess: float
    size: int = 1

    def __post_init__(self) -> None:
        """Chooses the time window, the instants that many events share, and the style of keys."""
        rng = self.rng
        self.start = date(2025, 9, 10) + timedelta(days=rng.randrange(120))
        self.length = rng.choice((60, 120)) + 300 * (self.size > 1)
        self.few = rng.random() < 0.5  # managers and contacts: the fewer, the more meets
        self.touches = 50 if self.size == 1 else 150
        self.hot = [self.any_time() for _ in range(12)]
        self.numeric_keys = rng.random() < 0.4
        # Small keys, or of 17 digits, each the value of a floating number.
        self.first_key = rng.choice((0, 0, 23_851_234_567_890_120))
        self.rows: Rows = {}

    # Small choices

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self.rng.random() < probability

    def maybe(self, value: Any, probability: float = 0.7) -> Any:
        """The value or None."""
        return value if self.chance(probability) else None

    def any_time(self) -> datetime:
        """A random second of the window, with microseconds now and then."""
        seconds = self.rng.randrange(self.length * 86_400)
        fraction = self.rng.choice((0, 0, 0, 1, 500_000, 999_999))
        day = datetime.combine(self.start, time(), MOSCOW).astimezone(UTC)
        return day + timedelta(seconds=seconds, microseconds=fraction)

    def boundary(self) -> datetime:
        """Around a local midnight, often of a month, a quarter or a year."""
        day = self.day()
        if self.chance(0.5):
            day = period_start(day, self.rng.choice(GRAINS[1:]))
        zone = self.rng.choice((MOSCOW, MOSCOW, UTC))
        midnight = datetime.combine(day, time(), zone).astimezone(UTC)
        return midnight + self.rng.choice(_EDGES)

    def moment(self) -> datetime:
        """A time that other events may share."""
        choice = self.rng.random()
        if choice < 0.3:
            return self.rng.choice(self.hot)
        return self.boundary() if choice < 0.45 else self.any_time()

    def after(self, at: datetime) -> datetime:
        """At or after a time, now and then before it."""
        if self.chance(0.4 if self.size == 1 else 0.15):
            delta = self.rng.choice(_SOON)
        else:
            delta = timedelta(seconds=self.rng.randrange(30 * 86_400))
        return at - delta if self.chance(self.mess / 6) else at + delta

    def day(self) -> date:
        """A date of the window."""
        return self.start + timedelta(days=self.rng.randrange(self.length))

    def odd_day(self, day: date) -> date:
        """The date, now and then another one that breaks a rule."""
        return (
            day - timedelta(days=self.rng.randrange(1, 900)) if self.chance(self.mess / 6) else day
        )

    def keys(self, prefix: str, count: int) -> list[str]:
        """Keys as text: numbers of different length, or names that differ by case."""
        if self.numeric_keys:
            return [str(self.first_key + 8 * number) for number in range(1, count + 1)]
        keys = [f"{prefix}{number}" for number in range(1, count)]
        return [*keys, f"{prefix}1".upper()]

    def reference(self, table: str, column: str, probability: float = 0.75) -> str | None:
        """A key of another table, None, or one that does not exist."""
        if self.chance(self.mess / 4):
            return self.rng.choice(("ghost", "unknown", "Unknown", "UNKNOWN"))
        rows = self.rows[table]
        return self.maybe(self.rng.choice(rows)[column], probability) if rows else None

    def certain(self, table: str, column: str) -> str:
        """A reference that is never None."""
        return self.reference(table, column, 1.0) or "ghost"

    # Tables

    def make(self) -> Rows:
        """Every table."""
        for build in (self._members, self._stages, self._contacts, self._leads, self._deals):
            build()
        for build in (self._history, self._meetings, self._payments, self._calls):
            build()
        for build in (self._extensions, self._touches, self._plans, self._money):
            build()
        return self.rows

    def _members(self) -> None:
        rng = self.rng
        roles = ("lead_generator", "hunter", "farmer", "head", None)
        self.rows["crm.managers"] = [
            {
                "manager_id": key,
                "full_name": self.named(f"Менеджер {key}"),
                "email": self.maybe(f"{key}@example.com"),
                "team": rng.choice(("north", "south", None)),
                "role": rng.choice(roles),
                "hired_on": self.maybe(self.start - timedelta(days=rng.randrange(900))),
                "dismissed_on": self.maybe(self.odd_day(self.start), 0.2),
            }
            for key in self.with_unknown(self.keys("m", 3 if self.few else 6))
        ]
        self.rows["crm.sources"] = [
            {
                "source_id": key,
                "name": self.named(f"Source {key}"),
                "channel": rng.choice(("cold", "ads")),
            }
            for key in self.with_unknown(self.keys("s", 4))
        ]
        self.rows["crm.pipelines"] = [
            {"pipeline_id": key, "name": self.named(f"Pipeline {key}")}
            for key in self.with_unknown(self.keys("p", 3))
        ]

    def named(self, name: str) -> str:
        """The name, or one about as long as marts show."""
        return name + "ё" * self.rng.randrange(470, 530) if self.chance(self.mess / 4) else name

    def with_unknown(self, keys: list[str]) -> list[str]:
        """With the raw key `unknown` now and then."""
        return [*keys, "unknown"] if self.chance(self.mess) else keys

    def _stages(self) -> None:
        rng = self.rng
        rows: list[Row] = []
        for pipeline in [*(row["pipeline_id"] for row in self.rows["crm.pipelines"]), "gone"]:
            kinds = ["open", "open", "presale", "won", "lost"]
            if pipeline == "gone" and not self.chance(self.mess * 2):
                continue
            if self.chance(0.5):
                rng.shuffle(kinds)
            kinds = kinds[: rng.randint(2, 5)] if self.chance(self.mess) else [*kinds, "open"]
            for kind in kinds:
                rows.append({"pipeline_id": pipeline, "kind": kind, "position": rng.randint(1, 6)})
        for key, row in zip(self.keys("st", len(rows)), rows, strict=True):
            row |= {"stage_id": key, "name": self.named(f"Stage {key}")}
        if self.chance(self.mess):
            rows.append({**rng.choice(rows), "stage_id": "unknown"})
        self.rows["crm.stages"] = rows

    def _contacts(self) -> None:
        rng = self.rng
        self.rows["crm.contacts"] = [
            {
                "contact_id": key,
                "name": self.maybe(self.named(f"Клиент {key}")),
                "company": None,
                "email": None,
                "created_at": self.moment(),
                "source_id": self.reference("crm.sources", "source_id"),
            }
            for key in self.with_unknown(self.keys("c", (4 if self.few else 10) * self.size))
        ]
        self.rows["crm.contact_phones"] = [
            {"contact_id": self.certain("crm.contacts", "contact_id"), "phone": phone}
            for phone in dict.fromkeys(spelled(rng, rng.randrange(8)) for _ in range(24))
        ]

    def _leads(self) -> None:
        rng = self.rng
        rows = []
        for key in self.keys("l", 24 * self.size):
            created_at = self.moment()
            rows.append(
                {
                    "lead_id": key,
                    "contact_id": self.reference("crm.contacts", "contact_id", 0.85),
                    "manager_id": self.reference("crm.managers", "manager_id", 0.85),
                    "source_id": self.reference("crm.sources", "source_id", 0.6),
                    "created_at": created_at,
                    "taken_at": self.maybe(self.after(created_at)),
                    "is_target": rng.choice((True, True, False, None)),
                    "qualified_at": self.maybe(self.after(created_at)),
                    "rejection_reason": None,
                    "utm_source": self.maybe("google", 0.3),
                    "utm_medium": None,
                    "utm_campaign": None,
                }
            )
        self.rows["crm.leads"] = rows

    def lead_time(self, lead_id: str | None) -> datetime:
        """Near a lead's creation where there is one."""
        for lead in self.rows["crm.leads"]:
            if lead["lead_id"] == lead_id and self.chance(0.8):
                return self.after(lead["created_at"])
        return self.moment()

    def _deals(self) -> None:
        rng = self.rng
        rows = []
        closed = 0.3 if self.size == 1 else 0.6
        for key in self.keys("d", 30 * self.size):
            lead = self.reference("crm.leads", "lead_id", 0.6)
            closing = [row for row in self.rows["crm.stages"] if row["kind"] in ("won", "lost")]
            stage = rng.choice(
                closing if closing and self.chance(closed) else self.rows["crm.stages"]
            )
            created_at = self.lead_time(lead)
            odd_stage = self.chance(self.mess / 3)
            rows.append(
                {
                    "deal_id": key,
                    "lead_id": lead,
                    "contact_id": self.reference("crm.contacts", "contact_id", 0.5),
                    "manager_id": self.reference("crm.managers", "manager_id", 0.9),
                    "pipeline_id": self.certain("crm.pipelines", "pipeline_id")
                    if self.chance(self.mess)
                    else stage["pipeline_id"],
                    "stage_id": rng.choice(("ghost", "unknown"))
                    if odd_stage
                    else stage["stage_id"],
                    "source_id": self.reference("crm.sources", "source_id", 0.5),
                    "amount": self.maybe(self.amount(), 0.9),
                    "currency": self.currency(),
                    "deal_type": rng.choice(("new", "repeat", "upsell", None)),
                    "created_at": created_at,
                    "expected_close_on": self.maybe(self.day()),
                    "closed_at": self.maybe(self.after(created_at), 0.5),
                    "lost_reason": rng.choice(("price", "silence", "Price", None)),
                }
            )
        self.rows["crm.deals"] = rows

    def amount(self) -> Decimal:
        """Money, at times zero, with halves of a cent or with too many digits."""
        odd = ("0", "0.005", "10.0050", "1.0049999", "33.33335", "99.99995", "7.00004999")
        if self.chance(self.mess / 2):
            return Decimal(self.rng.choice(odd))
        return Decimal(self.rng.randrange(100, 5_000_000)) / 100

    def currency(self) -> str | None:
        """A currency with a rate, with a late rate, or without any."""
        odd = ("USD", "EUR", "usd", "KZT", "rub", "EUR", "XXX")
        return self.rng.choice(odd) if self.chance(0.35) else self.rng.choice(("RUB", None))

    def _history(self) -> None:
        rng = self.rng
        rows: list[Row] = []
        stages = self.rows["crm.stages"]
        for deal in self.rows["crm.deals"]:
            at = deal["created_at"]
            own = [row for row in stages if row["pipeline_id"] == deal["pipeline_id"]]
            for _ in range(rng.choice((0, 1, 2, 2, 3, 5))):
                stage = rng.choice(own if own and not self.chance(self.mess / 2) else stages)
                entered = "ghost" if self.chance(self.mess / 8) else stage["stage_id"]
                if self.chance(0.15) and rows:
                    entered = rows[-1]["stage_id"]
                rows.append(self._entry(deal["deal_id"], entered, at))
                at = self.after(at)
            if self.chance(0.5):
                rows.append(self._entry(deal["deal_id"], deal["stage_id"], at))
        rows += [self._entry("ghost", "ghost", self.moment()) for _ in range(2)]
        for key, row in zip(self.keys("e", len(rows)), rows, strict=True):
            row["event_id"] = key
        self.rows["crm.deal_stage_history"] = rows

    def _entry(self, deal: str, stage: str, at: datetime) -> Row:
        return {
            "deal_id": deal,
            "stage_id": stage,
            "entered_at": at,
            "manager_id": self.reference("crm.managers", "manager_id"),
            **self._quality("entered_at_quality", "entered_after", at),
        }

    def _quality(self, quality: str, after: str, at: datetime) -> Row:
        """How exactly a time is known, mostly: exactly."""
        if not self.chance(0.3):
            return {quality: None, after: None}
        day = timedelta(days=1)
        earlier = self.rng.choice((day, day + MICROSECOND, -day, timedelta(days=4), timedelta()))
        known = self.rng.choice(("exact", "day", "day_cut", "load", "first", None))
        return {quality: known, after: self.maybe(at - earlier, 0.8)}

    def _meetings(self) -> None:
        rng = self.rng
        rows = []
        for key in self.keys("mt", 36 * self.size):
            lead = self.reference("crm.leads", "lead_id", 0.6)
            set_at = self.lead_time(lead)
            confirmed_at = self.maybe(self.after(set_at), 0.6)
            rows.append(
                {
                    "meeting_id": key,
                    "lead_id": lead,
                    "deal_id": self.reference("crm.deals", "deal_id", 0.5),
                    "contact_id": self.reference("crm.contacts", "contact_id", 0.3),
                    "set_by": self.reference("crm.managers", "manager_id", 0.9),
                    "held_by": self.reference("crm.managers", "manager_id", 0.8),
                    "set_at": set_at,
                    "scheduled_for": self.maybe(self.after(set_at)),
                    "confirmed_at": confirmed_at,
                    "held_at": self.maybe(self.after(confirmed_at or set_at), 0.65),
                    "cancelled_at": self.maybe(self.after(set_at), 0.15),
                    "kind": rng.choice(("meeting", "demo", "visit", None)),
                }
            )
        self.rows["crm.meetings"] = rows

    def _payments(self) -> None:
        rng = self.rng
        held = [row for row in self.rows["crm.meetings"] if row["held_at"] and row["deal_id"]]
        rows = []
        for key in self.keys("pay", 40 * self.size):
            deal, paid_at = self.reference("crm.deals", "deal_id", 0.8), self.moment()
            if held and self.chance(0.5):
                meeting = rng.choice(held)
                deal, paid_at = meeting["deal_id"], self.after(meeting["held_at"])
            if self.chance(0.15):
                paid_at -= timedelta(days=rng.randrange(60, 200))
            rows.append(
                {
                    "payment_id": key,
                    "deal_id": deal,
                    "contact_id": self.reference("crm.contacts", "contact_id", 0.4),
                    "paid_at": paid_at,
                    "amount": max(self.amount(), Decimal("0.005")),
                    "currency": self.currency(),
                    "kind": "refund" if self.chance(0.2) else "payment",
                    **self._quality("paid_at_quality", "paid_after", paid_at),
                }
            )
        self.rows["crm.payments"] = rows

    def _calls(self) -> None:
        rng = self.rng
        self.starts: list[datetime] = []
        rows: list[Row] = []
        for _ in range(26 * self.size):
            number, inbound = rng.randrange(8), self.chance(0.55)
            at = self.lead_time(rng.choice(self.rows["crm.leads"])["lead_id"])
            if self.chance(0.3):
                at = rng.choice(self.rows["crm.leads"])["created_at"] - rng.choice(_SOON)
            answered = self.chance(0.55)
            rows += self._session(number, inbound, at, answered)
            if inbound and not answered:
                for _ in range(rng.randint(0, 2)):
                    back = at + rng.choice(_SOON)
                    rows += self._session(number, self.chance(0.5), back, self.chance(0.8))
        self._name_calls(rows)
        self.rows["telephony.calls"] = rows

    def _session(self, number: int, inbound: bool, at: datetime, answered: bool) -> list[Row]:
        legs = [
            self._leg(number, inbound, at, answered) for _ in range(self.rng.choice((1, 1, 2, 3)))
        ]
        link = self.rng.randrange(10**6)
        for leg in legs:
            leg["linked_id"] = f"k{link}" if len(legs) > 1 or self.chance(0.3) else None
            if self.chance(0.1):
                leg["direction"] = "internal"
        return legs

    def _leg(self, number: int, inbound: bool, at: datetime, answered: bool) -> Row:
        rng = self.rng
        if self.chance(0.4):
            at += rng.choice(_SOON[:5])
        answered = answered and self.chance(0.8)
        answered_at = self.maybe(at + timedelta(seconds=rng.randrange(40)), 0.9)
        disposition = rng.choice(("no_answer", "no_answer", "busy", "failed", "voicemail"))
        theirs, ours = spelled(rng, number), spelled(rng, rng.randrange(8))
        self.starts.append(at)
        return {
            "direction": "in" if inbound else "out",
            "from_number": theirs if inbound else ours,
            "to_number": ours if inbound else theirs,
            "extension": rng.choice(("101", "102", "103", "104", None)),
            "started_at": at,
            "answered_at": answered_at if answered else None,
            "ended_at": self.maybe(
                (answered_at or at) + timedelta(seconds=rng.randrange(200)), 0.9
            ),
            "disposition": "answered" if answered else disposition,
            "talk_seconds": self.maybe(rng.choice((0, 5, 59, 60, 61, 180)), 0.7),
            "line": rng.choice(("main", "sales", None)),
            "recording_url": None,
            "source_id": self.reference("crm.sources", "source_id", 0.15),
            "queue": rng.choice(("sales", "support", None, None)),
        }

    def _name_calls(self, rows: list[Row]) -> None:
        """Keys; and a leg or two linked by the key of another call."""
        for key, row in zip(self.keys("call", len(rows)), rows, strict=True):
            row["call_id"] = key
        for row in rows:
            if self.chance(0.08):
                row["linked_id"] = self.rng.choice(rows)["call_id"]

    def _extensions(self) -> None:
        rng = self.rng
        rows: dict[Any, Row] = {}
        before = datetime.combine(self.start - timedelta(days=30), time(), UTC)
        for _ in range(11):
            extension = rng.choice(("101", "102", "103", "104"))
            valid_from = before if self.chance(0.5) else rng.choice(self.starts)
            least = timedelta() if self.chance(self.mess / 4) else MICROSECOND
            valid_to = self.maybe(max(rng.choice(self.starts), valid_from + least), 0.4)
            rows[extension, valid_from] = {
                "extension": extension,
                "valid_from": valid_from,
                "manager_id": self.certain("crm.managers", "manager_id"),
                "valid_to": valid_to,
            }
        self.rows["telephony.extensions"] = list(rows.values())

    def _touches(self) -> None:
        rng = self.rng
        kinds = ("email", "message", "social", "proposal", "presentation", "task", "other")
        rows = []
        for key in self.keys("a", self.touches * self.size):
            lead = self.reference("crm.leads", "lead_id", 0.4)
            rows.append(
                {
                    "activity_id": key,
                    "kind": rng.choice(kinds),
                    "direction": rng.choice(("out", "in", None)),
                    "manager_id": self.reference("crm.managers", "manager_id"),
                    "contact_id": self.reference("crm.contacts", "contact_id", 0.5),
                    "lead_id": lead,
                    "deal_id": self.reference("crm.deals", "deal_id", 0.4),
                    "happened_at": self.lead_time(lead),
                }
            )
        self.rows["crm.activities"] = rows
        self.rows["crm.surveys"] = [
            {
                "survey_id": key,
                "contact_id": self.reference("crm.contacts", "contact_id", 0.5),
                "deal_id": self.reference("crm.deals", "deal_id"),
                "manager_id": self.reference("crm.managers", "manager_id", 0.5),
                "score": rng.randint(1, 5),
                "answered_at": self.moment(),
            }
            for key in self.keys("sv", 14)
        ]

    def _plans(self) -> None:
        rng = self.rng
        self.rows["telephony.call_evaluations"] = [
            {
                "call_id": key,
                "evaluated_at": self.moment(),
                "evaluator": rng.choice(("human", "model-1", None)),
                "score": Decimal(rng.randrange(0, 10_001)) / 100,
                **{
                    flag: rng.choice((True, False, None))
                    for flag in (
                        "needs_found",
                        "presentation_made",
                        "objections_handled",
                        "next_step_agreed",
                    )
                },
            }
            for key in dict.fromkeys(self.certain("telephony.calls", "call_id") for _ in range(22))
        ]
        self.rows["telephony.call_transcripts"] = [
            {"call_id": key, "language": rng.choice(("ru", None)), "segments": "Алло"}
            for key in dict.fromkeys(self.certain("telephony.calls", "call_id") for _ in range(4))
        ]
        quotas: dict[Any, Row] = {}
        for _ in range(40):
            period = rng.choice(GRAINS)
            row = {
                "manager_id": self.certain("crm.managers", "manager_id"),
                "metric": rng.choice(_METRICS.split()),
                "period": period,
                "period_start": self.odd_day(period_start(self.day() + timedelta(days=20), period)),
                "target": Decimal(rng.choice((0, 1, 5, 10, 250))),
            }
            quotas[tuple(row.values())[:4]] = row
        self.rows["crm.quotas"] = list(quotas.values())

    def _money(self) -> None:
        rng = self.rng
        spend: dict[Any, Row] = {}
        for _ in range(40):
            row = {
                "spend_date": self.day(),
                "source_id": self.certain("crm.sources", "source_id"),
                "campaign": rng.choice(("brand", "Brand", None, "x")),
                "cost": self.amount(),
                "currency": self.currency(),
                "impressions": self.maybe(rng.randrange(1000)),
                "clicks": self.maybe(rng.randrange(50)),
                "campaign_name": rng.choice(("Brand words", None)),
            }
            spend[tuple(row.values())[:3]] = row
        self.rows["marketing.ad_spend"] = list(spend.values())
        costs: dict[Any, Row] = {}
        for _ in range(8):
            month = self.odd_day(period_start(self.day() + timedelta(days=30), "month"))
            team = rng.choice(("north", "south"))
            costs[month, team] = self._cost(month, team)
        self.rows["finance.sales_costs"] = list(costs.values())
        self.rows["finance.exchange_rates"] = self._rates()

    def _cost(self, month: date, team: str) -> Row:
        return {"month": month, "team": team, "cost": self.amount(), "currency": self.currency()}

    def _rates(self) -> list[Row]:
        rates: dict[Any, Row] = {}
        for currency, late in (("USD", 0), ("EUR", 50), ("RUB", 0)):
            for _ in range(5):
                on = max(self.day(), self.start + timedelta(days=late))
                rate = Decimal(self.rng.randrange(1, 10**10)) / 10**8
                rates[on, currency] = {"rate_date": on, "currency": currency, "rate": rate}
        return list(rates.values())
