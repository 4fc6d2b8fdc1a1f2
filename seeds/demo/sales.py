"""Leads, meetings, deals and payments of one department, day by day.

Numbers per day come from the plan; which lead is met, which meeting takes place and which deal
is paid is drawn from those that are ripe. All moments are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from seeds.demo import company
from seeds.demo.clock import DAY_SECONDS, Calendar, local_day, moment
from seeds.demo.plan import Deck, Steady, daily_counts

MINUTE = 60
HOUR = 3600
LUNCH = (13 * HOUR, 14 * HOUR)
UNMET_AFTER_DAYS = 9
CURRENCIES = ("RUB", None, "RUB", "RUB", "RUB", "RUB", "USD", "RUB", None, "RUB", "EUR", "CNY")
CURRENCY_UNITS = {"USD": 80, "EUR": 92, "CNY": 11}
SALES_PATH = ("s_offer", "s_contract", "s_invoice")
UPSELL_PATH = ("u_offer", "u_approval")


@dataclass(slots=True)
class Contact:
    """A person at a customer; `phones` are numbers of telephones, the first is called."""

    key: int
    created: int
    source: str
    phones: list[int]
    changed: int | None = None


@dataclass(slots=True)
class Lead:
    """An enquiry or a cold prospect."""

    key: int
    contact: Contact
    owner: int
    source: str
    created: int
    by_phone: bool = False
    taken: int | None = None
    qualified: int | None = None
    is_target: bool | None = None
    has_meeting: bool = False


@dataclass(slots=True)
class Deal:
    """A deal; `moves` are (moment, stage, who), `owners` (moment, who)."""

    key: int
    contact: Contact
    lead: Lead | None
    kind: str
    source: str | None
    amount: int
    currency: str | None
    created: int
    owners: list[tuple[int, int]]
    moves: list[tuple[int, str, int]] = field(default_factory=list)
    lost_reason: str | None = None
    first_paid: int | None = None
    estimated: bool = True

    @property
    def owner(self) -> int:
        """Who owns it in the end."""
        return self.owners[-1][1]

    @property
    def is_closed(self) -> bool:
        """Whether the last stage is won or lost."""
        return self.moves[-1][1].endswith(("_won", "_lost"))


@dataclass(slots=True)
class Meeting:
    """A meeting; `holders` are (moment, who), `slots` (moment, scheduled for)."""

    key: int
    lead: Lead
    deal: Deal
    set_by: int
    set_at: int
    kind: str
    holders: list[tuple[int, int]]
    slots: list[tuple[int, int]]
    names_deal: bool
    confirmed: int | None = None
    held: int | None = None
    cancelled: int | None = None


@dataclass(slots=True)
class Payment:
    """Money of a deal, in hundredths of its currency."""

    key: int
    deal: Deal
    paid: int
    amount: int
    kind: str


Listener = Callable[[str, int, int, object], None]


class Sales:
    """Simulates the department; `tell` hears of every event that causes a call or a touch."""

    def __init__(self, calendar: Calendar, rng: Random, tell: Listener) -> None:
        self.calendar = calendar
        self.rng = rng
        self.tell = tell
        self.contacts: list[Contact] = []
        self.leads: list[Lead] = []
        self.deals: list[Deal] = []
        self.meetings: list[Meeting] = []
        self.payments: list[Payment] = []
        self.phones = 0
        self.leave_day = company.leave_day(calendar)
        self._prepare()

    def _prepare(self) -> None:
        people = company.LEAD_GENERATORS
        self.mix = {p: Deck(self.rng, company.SOURCE_MIX[p]) for p in people}
        self.target = {(p, s): Steady(self.rng) for p in people for s in company.LEAD_SOURCES}
        self.taken = {p: Steady(self.rng) for p in people}
        self.waiting: dict[int, list[Lead]] = {p: [] for p in people}
        self.ready: dict[int, list[Lead]] = {p: [] for p in people}
        self.spare: dict[int, list[Lead]] = {p: [] for p in people}
        self.unmet: dict[int, list[Meeting]] = {p: [] for p in people}
        self.met: dict[int, list[Meeting]] = {p: [] for p in people}
        self.customers: list[Deal] = []
        self.farmed: list[Deal] = []
        self.owed: dict[tuple[int, str], int] = {}
        self.luck: dict[tuple[str, int], float] = {}
        self.turn = 0
        self.plans = {
            (p, name): daily_counts(self.calendar, self.rng, self._rate(p, name))
            for p in people
            for name in ("leads", "set", "confirmed", "held", "paid")
        }
        self.farming = {
            p: daily_counts(self.calendar, self.rng, lambda _: 1) for p in company.FARMERS
        }

    def _rate(self, person: int, name: str) -> Callable[[date], float]:
        def rate(day: date) -> float:
            warming_up = name == "paid" and (day - self.calendar.start).days < 12
            full: float = getattr(company.rates(person, self.calendar.month_index(day)), name)
            return full * (0.5 if warming_up else 1)

        return rate

    def run(self) -> None:
        """Simulate every day of the range."""
        for day in self.calendar.working_days:
            if day == self.leave_day:
                self._hand_over(day)
            for person in company.LEAD_GENERATORS:
                self._receive_leads(person, day)
                self._qualify(person, day)
                self._confirm(person, day)
                self._hold(person, day)
                self._give_up(person, day)
                self._set(person, day)
                self._pay(person, day)
            self._farm(day)
        self._leave_open()

    def _leave_open(self) -> None:
        """Deals that are still open at the end have got as far as their age suggests."""
        end = moment(self.calendar.working_days[-1], 17 * HOUR)
        for deal in [m.deal for pool in self.met.values() for m in pool]:
            age = (end - deal.created) // DAY_SECONDS
            self._walk(deal, SALES_PATH[: min(age // 7, len(SALES_PATH))], end, 0.8)
        for deal in self.farmed:
            age = (end - deal.created) // DAY_SECONDS
            self._walk(deal, UPSELL_PATH[: min(age // 4, len(UPSELL_PATH))], end, 0.9)

    # Moments ------------------------------------------------------------------------------

    def _at(self, day: date, earliest: float = 9.15, latest: float = 17.75) -> int:
        """Draw a moment of a working day between two local hours, within its opening hours."""
        opens, closes = self.calendar.hours(day) or (9 * HOUR, 18 * HOUR)
        low = max(opens, int(earliest * HOUR))
        high = max(low + 1, min(closes, int(latest * HOUR)))
        second = self.rng.randint(low, high)
        if LUNCH[0] <= second < LUNCH[1] and self.rng.random() < 0.6:
            second = self.rng.randint(low, high)
        return moment(day, second)

    def _moments(self, after: int, before: int, count: int) -> list[int]:
        """Rising moments strictly between two others, in working time where there is room."""
        first, last = local_day(after), local_day(before)
        days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
        days = [day for day in days if self.calendar.hours(day)] or [first]
        found = set()
        for _ in range(count):
            at = self._at(self.rng.choice(days))
            if not after < at < before:
                at = self.rng.randint(after + 1, max(after + 1, before - 1))
            found.add(at)
        return sorted(found)

    def _due(self, person: int, name: str, day: date) -> int:
        """Planned events of a day and those that could not take place before."""
        return self.plans[person, name][day] + self.owed.pop((person, name), 0)

    def _pick(self, items: list[Meeting], favour_old: float = 2.0) -> Meeting:
        """Take one out of a list; the first are the likeliest."""
        return items.pop(int(self.rng.random() ** favour_old * len(items)))

    # Leads --------------------------------------------------------------------------------

    def _receive_leads(self, person: int, day: date) -> None:
        for _ in range(self.plans[person, "leads"][day]):
            source = self.mix[person].draw()
            if source == company.RETIRED_SOURCE and self.calendar.month_index(day) > 1:
                source = "referral"
            by_phone = source in company.WEB_SOURCES and self.rng.random() < 0.25
            created = self._arrival(day, source, by_phone)
            if created is None:
                continue
            lead = Lead(
                len(self.leads) + 1,
                self._contact(person, source, created),
                person,
                source,
                created,
                by_phone,
            )
            self.leads.append(lead)
            if self.taken[person].draw(0.94):
                lead.taken = self._taken(lead)
            if lead.taken is not None:
                self.waiting[person].append(lead)
            kind = "inbound_lead" if by_phone else "cold_lead" if source == "cold" else "lead"
            self.tell(kind, person, created, lead)

    def _arrival(self, day: date, source: str, by_phone: bool) -> int | None:
        """When the lead comes: advertising works in the evening and at weekends too."""
        if by_phone or source not in company.WEB_SOURCES or self.rng.random() > 0.22:
            return self._at(day)
        if self.rng.random() < 0.5 and day.weekday() < 5:
            day += timedelta(days=self.rng.randint(5, 6) - day.weekday())
            at = moment(day, self.rng.randint(10 * HOUR, 21 * HOUR))
        else:
            at = moment(day, self.rng.randint(18 * HOUR, 23 * HOUR))
        return at if local_day(at) < self.calendar.end else None

    def _taken(self, lead: Lead) -> int | None:
        if lead.by_phone or lead.source == "cold":
            return lead.created + self.rng.randint(5, 60)
        day = local_day(lead.created)
        hours = self.calendar.hours(day)
        if hours and lead.created < moment(day, hours[1]) - 30 * MINUTE:
            wait = min(self.rng.expovariate(1 / (22 * MINUTE)), 4 * HOUR)
            return min(lead.created + 20 + int(wait), moment(day, hours[1]))
        return self._within(self._at(self.calendar.next_working_day(day), 9.0, 10.5))

    def _within(self, at: int) -> int | None:
        """Give the moment, if it is in the simulated range."""
        return at if local_day(at) < self.calendar.end else None

    def _contact(self, person: int, source: str, created: int) -> Contact:
        if self.contacts and self.rng.random() < 0.05:
            known = self.rng.choice(self.contacts[-400:])
            if known.created < created - DAY_SECONDS:
                return known
        phones = [self._phone()]
        if self.rng.random() < 0.12:
            phones.append(self._phone())
        contact = Contact(len(self.contacts) + 1, created, source, phones)
        if self.rng.random() < 0.04:
            contact.changed = created + self.rng.randint(5, 60) * DAY_SECONDS
        self.contacts.append(contact)
        return contact

    def _phone(self) -> int:
        self.phones += 1
        return self.phones

    def _qualify(self, person: int, day: date) -> None:
        late = []
        for lead in self.waiting[person]:
            assert lead.taken is not None
            if local_day(lead.taken) > day or self.rng.random() < 0.2:
                late.append(lead)
                continue
            at = max(self._at(day, 9.3), lead.taken + self.rng.randint(60, 600))
            if self.rng.random() < 0.03 or local_day(at) > day:
                self.spare[person].append(lead)
                continue
            share = self._target_share(lead.source, self.calendar.month_index(day))
            lead.qualified = at
            lead.is_target = self.target[person, lead.source].draw(share)
            (self.ready if lead.is_target else self.spare)[person].append(lead)
        self.waiting[person] = late
        del self.ready[person][:-60], self.spare[person][:-40]

    def _target_share(self, source: str, month: int) -> float:
        """Draw the source's share of target leads: up to three points off the month's plan."""
        if (source, month) not in self.luck:
            decaying = source == company.DECAYING_SOURCE and month >= company.DECAY_MONTH - 1
            self.luck[source, month] = 0 if decaying else self.rng.uniform(-0.03, 0.03)
        return company.target_share(source, month) + self.luck[source, month]

    # Meetings -----------------------------------------------------------------------------

    def _set(self, person: int, day: date) -> None:
        due = self._due(person, "set", day)
        for done in range(due):
            visit = self.customers and self.rng.random() < 0.06
            pool = self.ready[person] or self.spare[person]
            if not visit and not pool:
                self.owed[person, "set"] = due - done
                return
            if visit:
                self._set_visit(person, day)
                continue
            # The freshest first: a meeting is mostly set in the call that qualifies the lead.
            lead = pool.pop(-1 - int(self.rng.random() ** 3 * len(pool)))
            ready_at = lead.qualified or lead.taken or lead.created
            at = self._at(day, 9.5)
            if at <= ready_at:
                at = ready_at + self.rng.randint(30, 240)
            self._open_deal(person, lead, at)

    def _open_deal(self, person: int, lead: Lead, at: int) -> None:
        owner = self._hunter(person, local_day(at))
        first = at + self.rng.randint(40, 900)
        amount = self._amount()
        deal = Deal(
            len(self.deals) + 1,
            lead.contact,
            lead,
            "new",
            lead.source if self.rng.random() < 0.8 else None,
            *amount,
            first,
            [(first, owner)],
            [(first, "s_new", person)],
            estimated=self.rng.random() < 0.8,
        )
        self.deals.append(deal)
        lead.has_meeting = True
        kind = self.rng.choices(("meeting", "demo", "visit"), (58, 34, 8))[0]
        self._add_meeting(person, lead, deal, at, kind, owner)

    def _set_visit(self, person: int, day: date) -> None:
        deal = self.rng.choice(self.customers)
        assert deal.lead is not None
        farmer = self.rng.choice(company.FARMERS)
        self._add_meeting(person, deal.lead, deal, self._at(day, 9.5), "visit", farmer)

    def _add_meeting(
        self, person: int, lead: Lead, deal: Deal, at: int, kind: str, holder: int
    ) -> None:
        slot_day = local_day(at)
        for _ in range(self.rng.randint(1, 4)):
            slot_day = self.calendar.next_working_day(slot_day)
        slot = moment(slot_day, self.rng.randint(20, 34) * 30 * MINUTE)
        meeting = Meeting(
            len(self.meetings) + 1,
            lead,
            deal,
            person,
            at,
            kind,
            [(at, holder)],
            [(at, slot)],
            kind == "visit" or self.rng.random() < 0.7,
        )
        self.meetings.append(meeting)
        self.unmet[person].append(meeting)
        self.tell("meeting_set", person, at, meeting)

    def _hunter(self, person: int, day: date) -> int:
        if person == company.DUAL and self.rng.random() < 0.6:
            return person
        self.turn += 1
        hunter = company.HUNTERS[self.turn % len(company.HUNTERS)]
        if hunter == company.LEAVER and day >= self.leave_day:
            return company.SUCCESSOR
        return hunter

    def _confirm(self, person: int, day: date) -> None:
        due = self._due(person, "confirmed", day)
        pool = [m for m in self.unmet[person] if m.confirmed is None]
        for done in range(due):
            if not pool:
                self.owed[person, "confirmed"] = due - done
                return
            meeting = self._pick(pool)
            meeting.confirmed = self._at(day, 9.1, 11.4)
            self.tell("meeting_confirmed", person, meeting.confirmed, meeting)

    def _hold(self, person: int, day: date) -> None:
        due = self._due(person, "held", day)
        pool = [m for m in self.unmet[person] if m.confirmed is not None]
        for done in range(due):
            if not pool:
                self.owed[person, "held"] = due - done
                return
            meeting = self._pick(pool)
            self.unmet[person].remove(meeting)
            slot = moment(day, self.rng.randint(24, 33) * 30 * MINUTE)
            held = slot + self.rng.randint(-300, 900)
            if meeting.slots[-1][1] != slot and meeting.confirmed is not None:
                meeting.slots.append((meeting.confirmed, slot))
            if meeting.holders[-1][1] not in company.FARMERS:
                meeting.holders.append((held, meeting.deal.owner))
            meeting.held = held
            self.tell("meeting_held", meeting.holders[-1][1], held, meeting)
            if meeting.deal.first_paid is None:
                if self.calendar.month_index(day) == 0 and self.rng.random() < 0.06:
                    self._move(meeting.deal, held + 60, company.RETIRED_STAGE)
                self._move(meeting.deal, held + self.rng.randint(10, 50) * MINUTE, "s_met")
                self.met[person].append(meeting)

    def _give_up(self, person: int, day: date) -> None:
        """Meetings that nobody came to, and deals that stay unpaid for too long."""
        for meeting in list(self.unmet[person]):
            if (day - local_day(meeting.set_at)).days > UNMET_AFTER_DAYS:
                self.unmet[person].remove(meeting)
                if self.rng.random() < 0.6:
                    meeting.cancelled = self._at(day)
                if meeting.deal.first_paid is None and self.rng.random() < 0.8:
                    self._lose(meeting.deal, self._at(day))
        for meeting in list(self.met[person]):
            assert meeting.held is not None
            patience = 10 + meeting.key * 7919 % 36
            if (day - local_day(meeting.held)).days > patience:
                self.met[person].remove(meeting)
                self._walk(meeting.deal, SALES_PATH, self._at(day), 0.5)
                self._lose(meeting.deal, max(self._at(day), meeting.deal.moves[-1][0] + 60))

    # Deals --------------------------------------------------------------------------------

    def _amount(self) -> tuple[int, str | None]:
        """Amount in hundredths, and its currency."""
        roubles = min(self.rng.lognormvariate(12.2, 0.6), 3e6)
        currency = self.rng.choice(CURRENCIES) if self.rng.random() < 0.4 else "RUB"
        units = roubles / CURRENCY_UNITS.get(currency or "RUB", 1)
        return round(units / 100) * 10_000 if units > 5000 else round(units) * 100, currency

    def _move(self, deal: Deal, at: int, stage: str) -> None:
        at = max(at, deal.moves[-1][0] + 1)
        deal.moves.append((at, stage, deal.owner))
        self.tell(stage, deal.owner, at, deal)

    def _walk(self, deal: Deal, path: tuple[str, ...], before: int, thorough: float) -> None:
        """Move a deal through stages of a path: some are left out, some are gone back to."""
        steps = [stage for stage in path if self.rng.random() < thorough]
        if len(steps) > 1 and self.rng.random() < 0.1:
            steps += [steps[-2], steps[-1]]
        after = deal.moves[-1][0]
        for at, stage in zip(self._moments(after, before, len(steps)), steps, strict=False):
            self._move(deal, at, stage)

    def _lose(self, deal: Deal, at: int) -> None:
        deal.lost_reason = self.rng.choices(company.LOST_REASONS, (5, 4, 3, 4, 3))[0]
        if self.rng.random() < 0.1:
            deal.lost_reason = None
        prefix = deal.moves[-1][1][0]
        self._move(deal, at, f"{prefix}_lost")
        if prefix == "s" and self.rng.random() < 0.04:
            day = local_day(at)
            for _ in range(self.rng.randint(2, 8)):
                day = self.calendar.next_working_day(day)
            if day < self.calendar.end:
                self._move(deal, self._at(day), "s_offer")

    def _pay(self, person: int, day: date) -> None:
        due = self._due(person, "paid", day)
        pool = [m for m in self.met[person] if m.held and local_day(m.held) < day]
        for done in range(due):
            if not pool:
                self.owed[person, "paid"] = due - done
                return
            meeting = self._pick(pool, 1.3)
            self.met[person].remove(meeting)
            deal = meeting.deal
            paid = self._at(day, 11.0)
            self._walk(deal, SALES_PATH, paid - 10 * MINUTE, 0.88)
            self._win(deal, max(paid, deal.moves[-1][0] + 60))
            self.customers.append(deal)

    def _win(self, deal: Deal, paid: int) -> None:
        deal.first_paid = paid
        self._move(deal, paid + self.rng.randint(60, 1200), f"{deal.moves[-1][1][0]}_won")
        parts = self.rng.choices(((100,), (50, 50), (30, 40, 30)), (60, 30, 10))[0]
        day = local_day(paid)
        for number, percent in enumerate(parts):
            if number:
                day = self.calendar.next_working_day(day + timedelta(days=self.rng.randint(9, 25)))
                paid = self._at(day)
            self._add_payment(deal, paid, deal.amount * percent // 100, "payment")
        if self.rng.random() < 0.05:
            day = self.calendar.next_working_day(day + timedelta(days=self.rng.randint(4, 15)))
            self._add_payment(deal, self._at(day), deal.amount // 5, "refund")

    def _add_payment(self, deal: Deal, paid: int, amount: int, kind: str) -> None:
        if self._within(paid) is not None:
            payment = Payment(len(self.payments) + 1, deal, paid, max(amount, 100), kind)
            self.payments.append(payment)
            self.tell(kind, deal.owner, paid, payment)

    def _hand_over(self, day: date) -> None:
        """Pass the leaver's open deals to the successor."""
        at = self._at(day, 9.0, 9.3)
        for deal in self.deals:
            if deal.owner == company.LEAVER and not deal.is_closed:
                deal.owners.append((at, company.SUCCESSOR))

    def _farm(self, day: date) -> None:
        """Repeat and upsell deals with customers who paid at least two weeks ago."""
        ripe = [
            deal
            for deal in self.customers
            if deal.first_paid and (day - local_day(deal.first_paid)).days >= 14
        ]
        for farmer in company.FARMERS:
            for _ in range(self.farming[farmer][day] if ripe else 0):
                origin = ripe[int(self.rng.random() ** 1.5 * len(ripe))]
                created = self._at(day)
                amount, currency = self._amount()
                deal = Deal(
                    len(self.deals) + 1,
                    origin.contact,
                    origin.lead if self.rng.random() < 0.3 else None,
                    "upsell" if self.rng.random() < 0.4 else "repeat",
                    None,
                    max(amount // 200 * 100, 10_000),
                    currency,
                    created,
                    [(created, farmer)],
                    [(created, "u_need", farmer)],
                )
                self.deals.append(deal)
                self.farmed.append(deal)
                self.tell("farming", farmer, created, deal)
        for deal in list(self.farmed):
            age = (day - local_day(deal.created)).days
            if age >= 4 + deal.key * 31 % 20:
                self.farmed.remove(deal)
                at = self._at(day, 11.0)
                self._walk(deal, UPSELL_PATH, at, 0.85)
                at = max(at, deal.moves[-1][0] + 60)
                end_it = self._win if self.rng.random() < 0.6 else self._lose
                end_it(deal, at)
