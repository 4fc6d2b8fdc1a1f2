"""The outlook: what is said of open deals and of the months to come, where no model has a part.

Days are local dates, and everything is what was known at the end of one.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from math import floor, log, sqrt
from pathlib import Path
from statistics import median
from typing import Any

from scipy import stats

from .contract import UNKNOWN
from .facts import Facts, is_outgoing
from .identity import World
from .sessions import session_legs
from .variables import days, next_period, period_end, period_start, previous_period

Row = dict[str, Any]
STEPS = Path(__file__).parents[2] / "seeds/reference/next_steps.csv"
EVERYBODY = "*"
FEWEST_CLOSED = 30
FEWEST_WON_TO_DATE = 20
FEWEST_DEALS_OF_A_STEP = 30
SMOOTHING = 5
DAYS_TO_DO_A_STEP = timedelta(days=7)
AGES, SILENCES = (7, 30, 90), (7, 30)
DAYS_BACK = timedelta(days=1826)
DAYS_OVERDUE = timedelta(days=30)
_MESSAGE_WAYS = ("message_out", "message_in")
_CONTACTS = ("conversation", "meeting_held", *_MESSAGE_WAYS, "proposal", "presentation")
_MESSAGES = ("email", "message", "social")
_CLOSED = ("won", "lost")
# In the order in which one overrules another of the same day.
MEETING_STEPS = ("set", "confirmed", "cancelled", "held")


@dataclass(frozen=True)
class Stay:
    """A stay of a deal in a stage, by days."""

    entry_no: int
    stage: str
    pipeline: str
    kind: str
    entered_on: date


@dataclass(frozen=True)
class Touch:
    """Something that happened to a deal, and the day from whose end on it is known."""

    kind: str
    happened_on: date
    known_on: date


@dataclass(frozen=True)
class Event:
    """Something that happened, with the deal, contact and lead that it names."""

    kind: str
    key: str
    on: date
    deal: str | None
    contact: str | None
    lead: str | None
    # From when contact and lead are known to be its own.
    contact_on: date = date.min
    lead_on: date = date.min


@dataclass(frozen=True)
class Link:
    """Since when a deal is known to be a contact's or a lead's, and until when."""

    known_on: date
    replaced_on: date | None = None


Links = dict[str | None, list[tuple[str, Link]]]


@dataclass(frozen=True)
class Chance:
    """The chance of winning that a rate gives, with its interval; all None where none is known."""

    method: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


def read_steps(path: Path = STEPS) -> list[Row]:
    """The steps in their default order."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return sorted(rows, key=lambda row: int(row["default_order"]))


class Outlook:
    """The outlook of one zone."""

    def __init__(self, world: World, facts: Facts) -> None:
        """Puts what is known of every deal in its order."""
        assert world.as_of is not None
        self.world, self.facts, self.as_of = world, facts, world.as_of
        self.day = world.clock.day
        self.deals = {deal["deal_id"]: deal for deal in facts.deals}
        self.created_on = {key: self.day(deal["created_at"]) for key, deal in self.deals.items()}
        self.steps = read_steps()
        self.stays: dict[str, list[Stay]] = defaultdict(list)
        for entry in facts.stage_entries:
            self.stays[entry["deal_id"]].append(self._stay(entry))
        for deal, stays in self.stays.items():
            # Of the time before its first entry nobody knows the stage.
            if self.created_on[deal] < stays[0].entered_on:
                stays.insert(0, Stay(0, UNKNOWN, UNKNOWN, "open", self.created_on[deal]))
        self.payments: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        for payment in facts.payments:
            if payment["deal_id"] and payment["amount"] is not None:
                paid_on = self.day(payment["paid_at"])
                self.payments[payment["deal_id"]].append((paid_on, payment["amount"]))
        # The first day that is looked at: what is older says little of today.
        self.since = self.as_of - DAYS_BACK + timedelta(days=1)
        self._closed_rates: dict[date, Rates] = {}

    def _stay(self, entry: Row) -> Stay:
        stage = entry["stage_id"]
        kind, entered_on = self.world.stage_kind(stage), self.day(entry["entered_at"])
        return Stay(entry["entry_no"], stage, entry["pipeline_id"], kind, entered_on)

    # What was known of a deal

    def state(self, deal: str, on: date) -> Stay | None:
        """The stay in which a deal was at the end of a day; None before it was there."""
        stays = self.stays[deal]
        place = bisect_right(stays, on, key=lambda stay: stay.entered_on)
        return stays[place - 1] if place and self.created_on[deal] <= on else None

    def open_deals(self, on: date) -> Iterator[tuple[str, Stay]]:
        """The deals that were open at the end of a day, with where they were."""
        for deal in self.deals:
            state = self.state(deal, on)
            if state and state.kind not in _CLOSED:
                yield deal, state

    def closed_on(self, deal: str, on: date) -> date:
        """When a deal closed that was closed at the end of a day."""
        state = self.state(deal, on)
        assert state is not None and state.kind in _CLOSED
        return max(state.entered_on, self.created_on[deal])

    def paid(self, deal: str, on: date) -> Decimal:
        """What was paid for a deal by the end of a day, refunds subtracted."""
        amounts = (amount for paid_on, amount in self.payments[deal] if paid_on <= on)
        return sum(amounts, Decimal(0))

    def unpaid(self, deal: str, on: date) -> Decimal | None:
        """What a deal has still to bring; None without an amount."""
        amount = self.deals[deal]["amount"]
        return None if amount is None else max(amount - self.paid(deal, on), Decimal(0))

    @cached_property
    def touches(self) -> dict[str, list[Touch]]:
        """What happened to each deal."""
        found: dict[str, set[tuple[Touch, str]]] = defaultdict(set)
        for event in (*self._conversations(), *self._events()):
            named, on = event.deal, event.on
            if named:
                known_on = max(on, self.created_on[named])
                found[named].add((Touch(event.kind, on, known_on), event.key))
            for deal, link, linked_on in self._links_of(event):
                # Until the deal that it names is there, it belongs to whom it came from.
                until = self.created_on[named] if named else None
                known_on = max(on, link.known_on, linked_on)
                if deal != named and all(known_on < it for it in (until, link.replaced_on) if it):
                    found[deal].add((Touch(event.kind, on, known_on), event.key))
        return defaultdict(list, {deal: [it for it, _ in own] for deal, own in found.items()})

    def _links_of(self, event: Event) -> Iterator[tuple[str, Link, date]]:
        contacts, leads = self._links
        for deal, link in contacts.get(event.contact, []):
            yield deal, link, event.contact_on
        for deal, link in leads.get(event.lead, []):
            yield deal, link, max(event.contact_on, event.lead_on)

    def _conversations(self) -> Iterator[Event]:
        """Answered legs, each on the day of its end: before it nobody knows of the answer."""
        legs = session_legs(self.world)
        for session in self.facts.sessions:
            key, contact = session["session_id"], session["contact_id"]
            starts = (leg["started_at"] for leg in legs[key] if leg["extension"] is not None)
            joined = min(starts, default=None)
            # Whose number it was is known once the contact is, and the lead after the tolerance.
            contact_on = self._created_on("crm.contacts", None if contact == UNKNOWN else contact)
            tolerance = timedelta(seconds=self.world.variables.lead_match_tolerance_seconds)
            lead_on = self.day(session["started_at"] + tolerance)
            for leg in legs[key]:
                if leg["disposition"] != "answered" or not leg["ended_at"]:
                    continue
                on = self.day(leg["ended_at"])
                is_queue = leg["extension"] is None and joined and self.day(joined) <= on
                if not is_queue and contact_on:
                    lead = session["lead_id"]
                    yield Event("conversation", key, on, None, contact, lead, contact_on, lead_on)

    def _events(self) -> Iterator[Event]:
        """Activities and what becomes of meetings, with what each names itself."""
        for key, row in self.world.rows["crm.activities"].items():
            yield self._event(_activity_kind(row), key, row, row["happened_at"])
        for key, row in self.world.rows["crm.meetings"].items():
            for step in MEETING_STEPS:
                if row[f"{step}_at"]:
                    at = max(row["set_at"], row[f"{step}_at"])
                    yield self._event(f"meeting_{step}", key, row, at)

    def _event(self, kind: str, key: str, row: Row, at: datetime) -> Event:
        deal = self.world.find("crm.deals", row["deal_id"])
        return Event(kind, key, self.day(at), deal, row["contact_id"], row["lead_id"])

    @cached_property
    def _links(self) -> tuple[Links, Links]:
        """The deals of each contact, and of each lead, from when all of them are there."""
        contacts: Links = defaultdict(list)
        leads: Links = defaultdict(list)
        world = self.world
        for deal, row in world.rows["crm.deals"].items():
            lead, own = world.deal_lead(deal), world.find("crm.contacts", row["contact_id"])
            of_lead = world.lead_contact(lead)
            parents = [("crm.leads", lead), ("crm.contacts", own), ("crm.contacts", of_lead)]
            lead_on, own_on, of_lead_on = (self._created_on(*parent) for parent in parents)
            here = self.created_on[deal]
            if lead and lead_on:
                leads[lead].append((deal, Link(max(here, lead_on))))
            if own and own_on:
                contacts[own].append((deal, Link(max(here, own_on))))
            if of_lead and of_lead_on and lead_on and of_lead != own:
                # A lead's contact stands in for the deal's own until that one is there.
                link = Link(max(here, lead_on, of_lead_on), own_on)
                if not own_on or link.known_on < own_on:
                    contacts[of_lead].append((deal, link))
        return contacts, leads

    def _created_on(self, table: str, key: str | None) -> date | None:
        return self.day(self.world.rows[table][key]["created_at"]) if key else None

    def silent_days(self, deal: str, on: date) -> int | None:
        """Days since the last contact."""
        contacts = [
            touch.happened_on
            for touch in self.touches[deal]
            if touch.kind in _CONTACTS and touch.known_on <= on
        ]
        return (on - max(contacts)).days if contacts else None

    def meeting_state(self, deal: str, on: date) -> str:
        """What happened last to a meeting of the deal; of a day's events the furthest."""
        known = [
            (touch.known_on, MEETING_STEPS.index(step))
            for touch in self.touches[deal]
            if touch.known_on <= on and (step := touch.kind.removeprefix("meeting_")) != touch.kind
        ]
        return MEETING_STEPS[max(known)[1]] if known else "none"

    # Chances

    def rates(self, on: date) -> Rates:
        """The won shares of what had closed by the end of a day."""
        if on not in self._closed_rates:
            self._closed_rates[on] = Rates(self, on)
        return self._closed_rates[on]

    # marts.deal_outlook

    def deal_rows(self, published: dict[str, Row]) -> list[Row]:
        """Every open deal; what a model said of one is taken from what was published of it."""
        rows = [
            self._deal_row(deal, state, published.get(deal, {}))
            for deal, state in self.open_deals(self.as_of)
        ]
        by_manager: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by_manager[row["manager_id"]].append(row)
        for own in by_manager.values():
            for place, row in enumerate(sorted(own, key=_urgency), start=1):
                row["rank"] = place
        return rows

    def _deal_row(self, deal: str, state: Stay, published: Row) -> Row:
        on, facts = self.as_of, self.deals[deal]
        age = (on - self.created_on[deal]).days
        pipeline = state.pipeline
        rates = self.rates(on)
        chance = rates.chance(pipeline, state.stage)
        if published.get("method") == "model":
            names = ("win_probability", "win_probability_low", "win_probability_high")
            chance = Chance("model", *(published[name] for name in names))
        unpaid = self.unpaid(deal, on)
        said = published.get("win_probability", chance.value)
        expected = None
        if unpaid is not None and said is not None:
            expected = (unpaid * Decimal(str(said))).quantize(Decimal("0.01"), ROUND_HALF_UP)
        step, evidence = self.next_step(deal, state, on)
        return {
            "deal_id": deal,
            "pipeline_id": pipeline,
            "stage_id": state.stage,
            "manager_id": facts["manager_id"],
            "source_id": facts["source_id"],
            "amount": facts["amount"],
            "paid_amount": self.paid(deal, on),
            "age_days": age,
            "days_in_stage": (on - state.entered_on).days,
            "days_since_contact": self.silent_days(deal, on),
            "is_stale": rates.is_stale(pipeline, age),
            "method": chance.method,
            "win_probability": chance.value,
            "win_probability_low": chance.low,
            "win_probability_high": chance.high,
            "expected_amount": expected,
            "next_step": step,
            "next_step_lift": evidence.lift if evidence else None,
            "next_step_cases": evidence.cases if evidence else None,
        }

    def won_from(self, until: date) -> Counter[tuple[str, str]]:
        """How many won deals were seen in each stage, open at the end of a week before."""
        found: Counter[tuple[str, str]] = Counter()
        for deal in self.stays:
            found.update({(it.pipeline, it.stage) for it in self._seen_before_won(deal, until)})
        return found

    def _seen_before_won(self, deal: str, until: date) -> Iterator[Stay]:
        state = self.state(deal, until)
        if state is None or state.kind != "won":
            return
        first, won_on = max(self.stays[deal][0].entered_on, self.since), self.closed_on(deal, until)
        for on in days(first + timedelta(days=6 - first.weekday()), won_on - timedelta(days=1)):
            if on.weekday() == 6 and (seen := self.state(deal, on)) and seen.kind not in _CLOSED:
                yield seen

    # Next steps

    def is_eligible(self, step: Row, deal: str, state: Stay, on: date) -> bool:
        """Whether a step can be taken with a deal at the end of a day."""
        age = (on - self.created_on[deal]).days
        if (
            state.kind not in step["stage_kinds"].split()
            or age < int(step["min_age_days"])
            or (on - state.entered_on).days < int(step["min_days_in_stage"])
            or self.meeting_state(deal, on) not in step["meeting_states"].split()
            or (step["needs_stale"] == "true" and not self.rates(on).is_stale(state.pipeline, age))
        ):
            return False
        silent = self.silent_days(deal, on)
        return (age if silent is None else silent) >= int(step["min_silent_days"])

    def next_step(self, deal: str, state: Stay, on: date) -> tuple[str | None, Evidence | None]:
        """What to do next with a deal, with the evidence where there is some."""
        eligible = [it["step"] for it in self.steps if self.is_eligible(it, deal, state, on)]
        evident = [step for step in eligible if step in self.evidence and self._is_evident(step)]
        if evident:
            best = max(evident, key=lambda step: self.evidence[step].lift)
            return best, self.evidence[best]
        return next(iter(eligible), None), None

    def _is_evident(self, step: str) -> bool:
        evidence = self.evidence[step]
        z = stats.norm.ppf(1 - 0.2 / len(self.steps))
        is_sure = evidence.lift - z * evidence.standard_error > 0
        return evidence.cases >= FEWEST_DEALS_OF_A_STEP and is_sure

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """What went along with each step, where it can be compared."""
        found = {step["step"]: evidence_of(self.landmarks(step)) for step in self.steps}
        return {step: it for step, it in found.items() if it}

    def evidence_rows(self) -> list[Row]:
        """The evidence of each step that can be compared."""
        return [{"step": step, **vars(it)} for step, it in self.evidence.items()]

    def landmarks(self, step: Row) -> list[Landmark]:
        """The first day in each stay at which a step could be taken, and what came of it."""
        if not step["done_by"]:
            return []
        found = []
        for deal, stays in self.stays.items():
            outcome = self.state(deal, self.as_of)
            if outcome and outcome.kind in _CLOSED:
                ends = [*(stay.entered_on for stay in stays[1:]), self.as_of]
                for stay, end in zip(stays, ends, strict=True):
                    landmark = self._landmark(step, deal, stay, end, outcome.kind == "won")
                    found += [landmark] if landmark else []
        return found

    def _landmark(
        self, step: Row, deal: str, stay: Stay, end: date, is_won: bool
    ) -> Landmark | None:
        for on in days(max(stay.entered_on, self.created_on[deal]), min(end, self.as_of)):
            if self.state(deal, on) != stay or not self.is_eligible(step, deal, stay, on):
                continue
            until = on + DAYS_TO_DO_A_STEP
            later = self.state(deal, until)
            if until > self.as_of or later is None or later.kind in _CLOSED:
                return None
            is_done = any(
                touch.kind in step["done_by"].split() and on < touch.known_on <= until
                for touch in self.touches[deal]
            )
            age = (on - self.created_on[deal]).days
            silent = self.silent_days(deal, on)
            stratum = (stay.pipeline, stay.kind, band(age, AGES), band(silent, SILENCES))
            return Landmark(deal, stay.entry_no, on, stratum, is_done, is_won)
        return None

    # marts.outlook_backtest, marts.outlook_calibration

    @cached_property
    def judged(self) -> list[Judged]:
        """What the rates said at each month's end of deals that have closed since."""
        found = []
        for on in self._month_ends():
            for deal, state in self.open_deals(on):
                outcome = self.state(deal, self.as_of)
                if outcome and outcome.kind in _CLOSED:
                    for method, value in self.rates(on).both(state.pipeline, state.stage):
                        is_won = outcome.kind == "won"
                        found.append(Judged(on, state.pipeline, method, deal, value, is_won))
        return found

    def _month_ends(self) -> list[date]:
        first = min((stays[0].entered_on for stays in self.stays.values()), default=self.as_of)
        ends = (
            on
            for on in days(max(first, self.since), self.as_of)
            if (on + timedelta(days=1)).day == 1
        )
        return list(ends)

    def backtest_rows(self) -> list[Row]:
        """How good the rates would have been, by month's end and pipeline."""
        groups: dict[Any, list[Judged]] = defaultdict(list)
        for it in self.judged:
            groups[it.as_of_on, it.pipeline, it.method].append(it)
        names = ("as_of_on", "pipeline_id", "method")
        return [
            {**dict(zip(names, key, strict=True)), **scores(own)} for key, own in groups.items()
        ]

    def calibration_rows(self) -> list[Row]:
        """What came true of what the rates said, by tenth of the probability."""
        groups: dict[Any, list[Judged]] = defaultdict(list)
        for it in self.judged:
            groups[it.pipeline, it.method, min(int(it.value * 10), 9) + 1].append(it)
        names = ("pipeline_id", "method", "tenth")
        return [
            {
                **dict(zip(names, key, strict=True)),
                "predictions": len(own),
                "deals": len({it.deal for it in own}),
                "predicted": sum(it.value for it in own) / len(own),
                "observed": sum(it.is_won for it in own) / len(own),
            }
            for key, own in groups.items()
        ]

    # marts.revenue_forecast, marts.forecast_backtest

    def forecast_rows(self, expected_open: dict[tuple[date, str], Decimal | None]) -> list[Row]:
        """The running month and the two after it, by manager and for everybody."""
        months = list(months_from(self.as_of, 3))
        targets = self._targets()
        rows = []
        for ahead, start in enumerate(months):
            parts: dict[str, Row] = defaultdict(lambda: dict.fromkeys(_PARTS, Decimal(0)))
            self._add(parts, "paid_so_far", self._paid_in(start, self.as_of))
            self._add(parts, "expected_won_unpaid", self._due_in(start, self.as_of))
            for is_new, name in ((True, "expected_new"), (False, "expected_repeat")):
                self._add(parts, name, self.new_business(self.as_of, ahead, is_new))
            for (period, manager), value in expected_open.items():
                if period == start and manager != EVERYBODY:
                    parts[manager]["expected_open"] = value
            own = {key: it for (key, period), it in targets.items() if period == start}
            managers = {
                it for it, row in parts.items() if any(row.values()) or None in row.values()
            }
            for manager in managers | set(own):
                row = {"period_start": start, "manager_id": manager, **parts[manager]}
                rows.append(_forecast(row, own.get(manager)))
            whole: Row = {name: _total(row[name] for row in parts.values()) for name in _PARTS}
            whole["expected_open"] = expected_open.get((start, EVERYBODY))
            everybody = {"period_start": start, "manager_id": EVERYBODY, **whole}
            rows.append(_forecast(everybody, _total(own.values()) if own else None))
        return rows

    @staticmethod
    def _add(parts: dict[str, Row], name: str, values: dict[str, Decimal]) -> None:
        for manager, value in values.items():
            parts[manager][name] += value

    def _targets(self) -> dict[tuple[str, date], Decimal]:
        return {
            (quota["manager_id"], quota["period_start"]): quota["target"]
            for quota in self.world.rows["crm.quotas"].values()
            if quota["metric"] == "revenue"
            and quota["period"] == "month"
            and self.world.exists("crm.managers", quota["manager_id"])
        }

    def _paid_in(self, start: date, until: date) -> dict[str, Decimal]:
        """Revenue of a month's days up to a day, by the payment's manager."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for payment in self.facts.payments:
            paid_on = self.day(payment["paid_at"])
            if start <= paid_on <= min(until, period_end(start, "month")):
                found[payment["manager_id"]] += payment["amount"] or 0
        return found

    def lag_days(self, on: date) -> int:
        """The median days from winning to the first payment, of what was won and paid by a day."""
        lags = []
        for deal, facts in self.deals.items():
            state = self.state(deal, on)
            if state and state.kind == "won" and facts["first_paid_at"]:
                paid_on, won_on = self.day(facts["first_paid_at"]), self.closed_on(deal, on)
                if paid_on <= on:
                    lags.append(max((paid_on - won_on).days, 0))
        return floor(median(lags)) if lags else 0

    def _due_in(self, start: date, on: date) -> dict[str, Decimal]:
        """What won deals still owe and will pay in a month, by the deal's owner."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for deal in self.deals:
            state, unpaid = self.state(deal, on), self.unpaid(deal, on)
            if state is None or state.kind != "won" or not unpaid:
                continue
            won_on = self.closed_on(deal, on)
            due_on = won_on + timedelta(days=self.lag_days(on))
            if due_on < on - DAYS_OVERDUE:
                continue
            due_on = max(due_on, on + timedelta(days=1))
            if period_start(due_on, "month") == start:
                found[self.deals[deal]["manager_id"]] += unpaid
        return found

    @cached_property
    def first_day(self) -> date:
        """The day of the first event."""
        return min(self.world.event_days, default=self.as_of)

    def new_business(self, on: date, ahead: int, is_new: bool) -> dict[str, Decimal]:
        """The mean of what deals brought that were created later in the month, by their owner."""
        running = period_start(on, "month")
        targets = [it for it in _months_before(running, 6) if it >= self.first_day]
        if len(targets) < 3:
            return {}
        clock = self.world.clock
        passed = clock.working_minutes(running, on) * 60
        found: dict[str, Decimal] = defaultdict(Decimal)
        for key, deal in self.deals.items():
            if (deal["deal_type"] in ("repeat", "upsell")) == is_new:
                continue
            month = period_start(self.created_on[key], "month")
            begin = clock.end_of_day(month - timedelta(days=1))
            worked = clock.working_seconds(begin, deal["created_at"])
            later = [
                target
                for target in targets
                if month > (base := _back(target, ahead)) or (month == base and worked > passed)
            ]
            for paid_on, amount in self.payments[key]:
                if period_start(paid_on, "month") in later:
                    found[deal["manager_id"]] += amount
        mean = {manager: total / len(targets) for manager, total in found.items()}
        return {key: it.quantize(Decimal("0.01"), ROUND_HALF_UP) for key, it in mean.items()}

    def is_silent(self, on: date) -> bool:
        """Whether there were live deals, and nothing was known of when any will be won."""
        rates = self.rates(on)
        is_known = rates.company[1] >= FEWEST_CLOSED and any(
            seen for deal in self.stays for seen in self._seen_before_won(deal, on)
        )
        return not is_known and any(
            not rates.is_stale(state.pipeline, (on - self.created_on[deal]).days)
            for deal, state in self.open_deals(on)
        )

    def forecast_points(self) -> Iterator[tuple[date, date, Decimal, Decimal]]:
        """Day, judged month, what had been paid by then and what came in the end."""
        for on in days(max(self.first_day, self.since), self.as_of):
            if on.day not in (1, 10, 20):
                continue
            if self.is_silent(on):
                continue
            for start in months_from(on, 3):
                if period_end(start, "month") <= self.as_of:
                    so_far = _total(self._paid_in(start, on).values())
                    actual = _total(self._paid_in(start, self.as_of).values())
                    yield on, start, so_far, actual


_PARTS = ("paid_so_far", "expected_open", "expected_won_unpaid", "expected_new", "expected_repeat")


def _activity_kind(row: Row) -> str:
    """What an activity is; a proposal that came in is a message."""
    kind = str(row["kind"])
    if kind in _MESSAGES or (kind == "proposal" and not is_outgoing(row)):
        return "message_out" if is_outgoing(row) else "message_in"
    return kind


def _total(values: Iterable[Decimal | None]) -> Decimal:
    return sum((value or Decimal(0) for value in values), Decimal(0))


def _forecast(row: Row, target: Decimal | None) -> Row:
    parts = [row[name] for name in _PARTS]
    forecast = None if None in parts else _total(parts)
    attained = float(forecast) / float(target) if target and forecast is not None else None
    return {**row, "forecast": forecast, "target": target, "attainment_forecast": attained}


def months_from(on: date, count: int) -> Iterator[date]:
    """The month of a day and those after it."""
    start = period_start(on, "month")
    for _ in range(count):
        yield start
        start = next_period(start, "month")


def _months_before(start: date, count: int) -> list[date]:
    return [_back(start, number) for number in range(1, count + 1)]


def _back(start: date, months: int) -> date:
    for _ in range(months):
        start = previous_period(start, "month")
    return start


def _urgency(row: Row) -> tuple[Any, ...]:
    gain = (row["next_step_lift"] or 0) * float(row["amount"] or 0)
    expected = row["expected_amount"]
    return row["is_stale"], -gain, expected is None, -(expected or 0), row["deal_id"]


class Rates:
    """Won shares of the deals that were closed at the end of a day, by pipeline and by stage."""

    def __init__(self, outlook: Outlook, on: date) -> None:
        """Counts closed deals and their ages."""
        self.pipelines: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.stages: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.company = [0, 0]
        self.ages: dict[str, list[int]] = defaultdict(list)
        for deal, stays in outlook.stays.items():
            state = outlook.state(deal, on)
            if state is None or state.kind not in _CLOSED:
                continue
            age = outlook.closed_on(deal, on) - outlook.created_on[deal]
            self.ages[state.pipeline].append(age.days)
            seen = {stay.stage for stay in stays if stay.entered_on <= on}
            for counts in (
                self.company,
                self.pipelines[state.pipeline],
                *(self.stages[stage] for stage in seen),
            ):
                counts[0] += state.kind == "won"
                counts[1] += 1

    def is_stale(self, pipeline: str, age: int) -> bool:
        """Whether at least 95 % of the pipeline's closed deals were younger when they closed."""
        ages = self.ages.get(pipeline, [])
        younger = sum(it < age for it in ages)
        return bool(ages) and 100 * younger >= 95 * len(ages)

    def chance(self, pipeline: str, stage: str) -> Chance:
        """The chance by the finest rate that has enough deals."""
        for method, value in self.both(pipeline, stage):
            won, closed, share = self._counts(method, pipeline, stage)
            a, b = won + SMOOTHING * share, closed - won + SMOOTHING * (1 - share)
            low, high = (_beta(part, a, b) for part in (0.1, 0.9))
            return Chance(method, value, min(low, value), max(high, value))
        return Chance("none")

    def both(self, pipeline: str, stage: str) -> Iterator[tuple[str, float]]:
        """The rates that have enough deals, the finer one first, to 6 places."""
        enough = {
            "stage_rate": self.pipelines.get(pipeline, [0, 0])[1],
            "company_rate": self.company[1],
        }
        for method, closed in enough.items():
            if closed >= FEWEST_CLOSED:
                won, count, share = self._counts(method, pipeline, stage)
                yield method, round((won + SMOOTHING * share) / (count + SMOOTHING), 6)

    def _counts(self, method: str, pipeline: str, stage: str) -> tuple[int, int, float]:
        if method == "company_rate":
            won, closed = self.company
            return won, closed, won / closed
        whole = self.pipelines[pipeline]
        won, closed = self.stages.get(stage, [0, 0])
        return won, closed, whole[0] / whole[1]


def _beta(part: float, a: float, b: float) -> float:
    if not a or not b:
        return float(not b)
    return round(float(stats.beta.ppf(part, a, b)), 6)


@dataclass(frozen=True)
class Landmark:
    """A stay in which a step could be taken, and what came of it."""

    deal: str
    entry_no: int
    on: date
    stratum: tuple[Any, ...]
    is_done: bool
    is_won: bool


@dataclass(frozen=True)
class Evidence:
    """By how much more deals were won with a step than without."""

    lift: float
    standard_error: float
    cases: int


def band(number: int | None, edges: tuple[int, ...]) -> int:
    """The band of an age or of a silence in days; -1 where there is none."""
    return -1 if number is None else sum(number >= edge for edge in edges)


def evidence_of(landmarks: list[Landmark]) -> Evidence | None:
    """The risk difference of Mantel and Haenszel with the clustered error of Greenland–Robins."""
    strata: dict[Any, tuple[list[Landmark], list[Landmark]]] = defaultdict(lambda: ([], []))
    for it in landmarks:
        strata[it.stratum][it.is_done].append(it)
    weights, gains = 0.0, 0.0
    residuals: dict[str, float] = defaultdict(float)
    telling = [both for both in strata.values() if all(both)]
    for other, done in telling:
        weight = len(done) * len(other) / (len(done) + len(other))
        weights += weight
        for own, sign in ((done, 1), (other, -1)):
            share = sum(it.is_won for it in own) / len(own)
            gains += sign * weight * share
            for it in own:
                residuals[it.deal] += sign * weight / len(own) * (it.is_won - share)
    if not weights:
        return None
    error = sqrt(sum(it**2 for it in residuals.values())) / weights
    cases = (len({it.deal for both in telling for it in both[side]}) for side in (False, True))
    return Evidence(gains / weights, error, min(cases))


@dataclass(frozen=True)
class Judged:
    """What a rate said of a deal, and what became of it."""

    as_of_on: date
    pipeline: str
    method: str
    deal: str
    value: float
    is_won: bool


def scores(own: list[Judged]) -> Row:
    """The scores of some predictions."""
    won = [it.value for it in own if it.is_won]
    lost = [it.value for it in own if not it.is_won]
    pairs = [(a > b) + 0.5 * (a == b) for a in won for b in lost]
    said = [min(max(it.value, 1e-6), 1 - 1e-6) for it in own]
    losses = [-log(p if it.is_won else 1 - p) for p, it in zip(said, own, strict=True)]
    return {
        "deals": len(own),
        "won": len(won),
        "brier": sum((it.value - it.is_won) ** 2 for it in own) / len(own),
        "log_loss": sum(losses) / len(own),
        "auc": sum(pairs) / len(pairs) if pairs else None,
        "mean_predicted": sum(it.value for it in own) / len(own),
        "win_rate": len(won) / len(own),
    }
