"""Calls of one department: sessions of one or more legs, and their evaluations.

Every conversation that `sales` tells of becomes a session; the rest of a person's day is filled
with follow-up and cold calls up to the plan. Durations are in seconds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from random import Random

from seeds.demo import company
from seeds.demo.clock import Calendar, local_day, moment
from seeds.demo.plan import Steady, daily_counts
from seeds.demo.sales import HOUR, LUNCH, MINUTE, Deal, Lead, Meeting, Sales

MEANINGFUL_SECONDS = 60
# Phone numbers of a leg: a telephone's number is positive, the company's lines and extensions
# are these bases minus their own.
LINE_BASE = -1
EXTENSION_BASE = -1000


@dataclass(slots=True)
class Leg:
    """One row of telephony; `from_number` and `to_number` are coded as above."""

    key: int
    first_key: int
    direction: str
    from_number: int | None
    to_number: int | None
    extension: int | None
    started: int
    answered: int | None
    ended: int
    disposition: str
    talk: int
    line: int


@dataclass(slots=True)
class Evaluation:
    """A judged call."""

    leg: Leg
    at: int
    evaluator: str
    score: float
    needs_found: bool
    presentation_made: bool
    objections_handled: bool
    next_step_agreed: bool


class Calls:
    """Listens to the sales simulation, then fills the days."""

    def __init__(self, calendar: Calendar, rng: Random) -> None:
        self.calendar = calendar
        self.rng = rng
        self.legs: list[Leg] = []
        self.evaluations: list[Evaluation] = []
        self.placed: dict[tuple[int, date], int] = defaultdict(int)
        self.good: dict[tuple[int, date], list[Leg]] = defaultdict(list)
        self.extensions = {person.key: person.extension for person in company.PEOPLE}
        self.leave_day = company.leave_day(calendar)
        self.asked = {p: Steady(rng) for p in company.LEAD_GENERATORS}

    # What the sales simulation tells -------------------------------------------------------

    def hear(self, kind: str, person: int, at: int, item: object) -> None:
        """Turn an event into a call, where it was one."""
        if isinstance(item, Lead):
            self._hear_lead(kind, person, at, item)
        elif isinstance(item, Meeting):
            self._hear_meeting(kind, person, at, item)
        elif isinstance(item, Deal) and self._is_talked_over(kind, at):
            start = at - self.rng.randint(4 * MINUTE, 12 * MINUTE)
            self.outbound(person, item.contact.phones[0], start, 0.85)

    def _is_talked_over(self, kind: str, at: int) -> bool:
        """Whether a step of a deal comes from a call."""
        if not self.calendar.hours(local_day(at)):
            return False
        return kind in {"farming", "s_invoice", "u_approval"} or self.rng.random() < 0.25

    def _hear_lead(self, kind: str, person: int, at: int, lead: Lead) -> None:
        phone = lead.contact.phones[0]
        month = self.calendar.month_index(local_day(at))
        slack = person == company.SLACKER and month == company.SLACK_MONTH
        if kind == "inbound_lead":
            # The CRM creates contact and lead moments after the caller is on the line.
            start = at - self.rng.randint(3, 120)
            self.inbound(person, phone, start, self.rng.randint(70, 420))
        elif kind == "cold_lead":
            talk = self.rng.randint(15, 75) if slack else self.rng.randint(65, 280)
            self.outbound(person, phone, at - talk - 20, 1.0, talk)
        elif lead.taken is not None and self.asked[person].draw(0.15 if slack else 0.85):
            self.outbound(person, phone, lead.taken + self.rng.randint(10, 900), 0.62)

    def _hear_meeting(self, kind: str, person: int, at: int, meeting: Meeting) -> None:
        phone = meeting.lead.contact.phones[-1]
        if kind == "meeting_set":
            talk = self.rng.randint(90, 480)
            legs = self.outbound(person, phone, at - talk - 25, 1.0, talk)
            if self.rng.random() < 0.07:
                self._transfer(legs[-1], meeting.holders[-1][1])
        elif kind == "meeting_confirmed" and self.rng.random() < 0.5:
            self.outbound(person, phone, at - 80, 1.0, self.rng.randint(25, 70))

    # Sessions ------------------------------------------------------------------------------

    def outbound(
        self, person: int, phone: int, start: int, answer_share: float, talk: int | None = None
    ) -> list[Leg]:
        """Let an employee dial a telephone."""
        ring = self.rng.randint(6, 32)
        if self.rng.random() < answer_share:
            if talk is None:
                talk = min(int(self.rng.lognormvariate(4.35, 0.85)) + 4, 1800)
            disposition, answered = "answered", start + ring
        else:
            disposition = self.rng.choices(
                ("no_answer", "busy", "failed", "voicemail"), (70, 16, 6, 8)
            )[0]
            talk, answered = 0, None
        line = self.rng.randrange(2)
        leg = self._leg(
            person,
            "out",
            LINE_BASE - line,
            phone,
            start,
            answered,
            start + ring + talk,
            disposition,
            talk,
            line,
        )
        self._count(person, leg)
        return [leg]

    def inbound(self, person: int, phone: int, start: int, talk: int) -> list[Leg]:
        """Let a caller go through the menu to an employee who answers."""
        menu = self._menu(phone, start, "answered", self.rng.randint(6, 18))
        ring = menu.ended + self.rng.randint(3, 20)
        leg = self._leg(
            person,
            "in",
            phone,
            LINE_BASE - menu.line,
            menu.ended,
            ring,
            ring + talk,
            "answered",
            talk,
            menu.line,
            menu.key,
        )
        self._count(person, leg)
        if self.rng.random() < 0.1:
            self._transfer(leg, self._seller(local_day(start)))
        return [menu, leg]

    def missed(self, people: list[int], phone: int, start: int) -> list[Leg]:
        """Let a caller wait for people in turn, or in the queue, until the caller gives up."""
        if not people:
            return [self._menu(phone, start, "no_answer", self.rng.randint(15, 70))]
        menu = self._menu(phone, start, "answered", self.rng.randint(6, 18))
        legs = [menu]
        for person in people:
            begin = legs[-1].ended
            end = begin + self.rng.randint(12, 30)
            legs.append(
                self._leg(
                    person,
                    "in",
                    phone,
                    LINE_BASE - menu.line,
                    begin,
                    None,
                    end,
                    "no_answer",
                    0,
                    menu.line,
                    menu.key,
                )
            )
        self.placed[people[0], local_day(start)] += 1
        return legs

    def _menu(self, phone: int, start: int, disposition: str, seconds: int) -> Leg:
        line = self.rng.randrange(len(company.LINES))
        answered = start + 1 if disposition == "answered" else None
        talk = seconds - 1 if answered else 0
        return self._leg(
            None,
            "in",
            phone,
            LINE_BASE - line,
            start,
            answered,
            start + seconds,
            disposition,
            talk,
            line,
        )

    def _transfer(self, leg: Leg, colleague: int) -> None:
        """Hand the customer to a colleague, who is asked on an internal line first."""
        start = leg.ended
        extension = self._extension(colleague)
        assert leg.extension is not None
        self._leg(
            None,
            "internal",
            EXTENSION_BASE - leg.extension,
            EXTENSION_BASE - extension,
            start - 15,
            start - 10,
            start,
            "answered",
            10,
            leg.line,
            leg.first_key,
            leg.extension,
        )
        talk = self.rng.randint(40, 300)
        handed = self._leg(
            colleague,
            leg.direction,
            leg.from_number,
            leg.to_number,
            start,
            start + 2,
            start + 2 + talk,
            "answered",
            talk,
            leg.line,
            leg.first_key,
        )
        self._count(colleague, handed)

    def _leg(
        self,
        person: int | None,
        direction: str,
        from_number: int | None,
        to_number: int | None,
        started: int,
        answered: int | None,
        ended: int,
        disposition: str,
        talk: int,
        line: int,
        first_key: int | None = None,
        extension: int | None = None,
    ) -> Leg:
        key = len(self.legs) + 1
        if person is not None:
            extension = self._extension(person)
        leg = Leg(
            key,
            first_key or key,
            direction,
            from_number,
            to_number,
            extension,
            started,
            answered,
            ended,
            disposition,
            talk,
            line,
        )
        self.legs.append(leg)
        return leg

    def _extension(self, person: int) -> int:
        return self.extensions[person]

    def _count(self, person: int, leg: Leg) -> None:
        day = local_day(leg.started)
        self.placed[person, day] += 1
        if leg.talk >= MEANINGFUL_SECONDS:
            self.good[person, day].append(leg)

    def _seller(self, day: date) -> int:
        seller = self.rng.choice(company.HUNTERS)
        left = seller == company.LEAVER and day >= self.leave_day
        return company.SUCCESSOR if left else seller

    # The rest of the days ------------------------------------------------------------------

    def fill(self, sales: Sales) -> None:
        """Follow-up and cold calls, missed calls, evaluations."""
        for person in company.PEOPLE:
            self._fill_person(person, sales)
        for day in self.calendar.days:
            self._missed_calls(day, sales)
        for person in company.PEOPLE:
            if person.role in {"lead_generator", "hunter"}:
                self._evaluate(person)
        self._renumber()

    def _renumber(self) -> None:
        """Give the legs numbers in the order of time, as an exchange does."""
        self.legs.sort(key=lambda leg: (leg.started, leg.key))
        places = {leg.key: place for place, leg in enumerate(self.legs, start=1)}
        for leg in self.legs:
            leg.key, leg.first_key = places[leg.key], places[leg.first_key]

    def _fill_person(self, person: company.Person, sales: Sales) -> None:
        def rate(day: date) -> float:
            if person.role == "lead_generator":
                return company.rates(person.key, self.calendar.month_index(day)).calls
            if person.key == company.LEAVER and day >= self.leave_day:
                return 0
            if person.key == company.SUCCESSOR and day < self.leave_day:
                return 0
            return company.CALLS_PER_DAY[person.role]

        known = self._known_phones(person.key, sales)
        cold_share = {"lead_generator": 0.45, "hunter": 0.08, "farmer": 0.03, "head": 0.5}
        seen = 0
        for day, planned in daily_counts(self.calendar, self.rng, rate).items():
            while seen < len(known) and local_day(known[seen][0]) < day:
                seen += 1
            for _ in range(max(planned - self.placed[person.key, day], 0)):
                start = self._moment(day)
                if not seen or self.rng.random() < cold_share[person.role]:
                    self.outbound(person.key, sales._phone(), start, 0.45, self._cold_talk())
                else:
                    phone = known[max(seen - 1 - int(self.rng.expovariate(1 / 25)), 0)][1]
                    self._follow_up(person.key, phone, start)

    def _follow_up(self, person: int, phone: int, start: int) -> None:
        if self.rng.random() < 0.12:
            self.inbound(person, phone, start, int(self.rng.lognormvariate(4.6, 0.7)) + 10)
        else:
            self.outbound(person, phone, start, 0.64)

    def _cold_talk(self) -> int:
        return min(int(self.rng.lognormvariate(3.4, 0.8)) + 3, 600)

    @staticmethod
    def _known_phones(person: int, sales: Sales) -> list[tuple[int, int]]:
        """(moment, telephone) of the leads and deals of a person, in order."""
        leads = [(x.created, x.contact.phones[0]) for x in sales.leads if x.owner == person]
        deals = [
            (since, x.contact.phones[0])
            for x in sales.deals
            for since, who in x.owners
            if who == person
        ]
        return sorted(leads + deals)

    def _moment(self, day: date) -> int:
        opens, closes = self.calendar.hours(day) or (10 * HOUR, 19 * HOUR)
        second = self.rng.randint(opens + 5 * MINUTE, closes - 10 * MINUTE)
        if LUNCH[0] <= second < LUNCH[1] and self.rng.random() < 0.6:
            second = self.rng.randint(opens + 5 * MINUTE, closes - 10 * MINUTE)
        return moment(day, second)

    def _missed_calls(self, day: date, sales: Sales) -> None:
        """Miss a few callers a day; some are called back, some call again."""
        for _ in range(self.rng.randint(2, 5) if self.calendar.hours(day) else 1):
            start = self._moment(day)
            phone, person = self._caller(start, sales)
            kind = self.rng.choices(("agent", "client", "lost"), (50, 20, 30))[0]
            if not self.calendar.hours(day):
                kind, people = "lost", []
            else:
                people = self.rng.choice(([], [person], [person, self._seller(day)]))
            legs = self.missed(people, phone, start)
            again = legs[-1].ended + self.rng.randint(3 * MINUTE, 50 * MINUTE)
            if local_day(again) != day:
                continue
            if kind == "agent":
                self.outbound(person, phone, again, 1.0, self.rng.randint(30, 240))
            elif kind == "client":
                self.inbound(person, phone, again, self.rng.randint(40, 300))

    def _caller(self, start: int, sales: Sales) -> tuple[int, int]:
        """Telephone of a caller and the person in charge of it."""
        if self.rng.random() < 0.35:
            return sales._phone(), self.rng.choice(company.LEAD_GENERATORS)
        lead = self.rng.choice(sales.leads)
        for _ in range(20):
            if lead.created < start:
                break
            lead = self.rng.choice(sales.leads)
        return lead.contact.phones[0], lead.owner

    def _evaluate(self, person: company.Person) -> None:
        needs, steps = Steady(self.rng), Steady(self.rng)
        shown, handled = Steady(self.rng), Steady(self.rng)

        def rate(day: date) -> float:
            if person.role == "lead_generator":
                return company.rates(person.key, self.calendar.month_index(day)).evaluations
            return 1.0

        for day, count in daily_counts(self.calendar, self.rng, rate).items():
            legs = self.good[person.key, day]
            month = self.calendar.month_index(day)
            needs_share, steps_share = company.listening(person.key, month)
            for leg in self.rng.sample(legs, min(count, len(legs))):
                flags = (
                    needs.draw(needs_share),
                    shown.draw(0.66),
                    handled.draw(0.55),
                    steps.draw(steps_share),
                )
                score = min(38 + 13 * sum(flags) + self.rng.randint(0, 20) / 2, 100)
                at = leg.ended + self.rng.randint(60, 4 * HOUR)
                if local_day(at) == day:
                    who = "human" if self.rng.random() < 0.2 else "speech-judge-2"
                    self.evaluations.append(Evaluation(leg, at, who, score, *flags))
