"""Written touches, presentations and surveys of one department."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from seeds.demo.clock import Calendar, local_day, moment
from seeds.demo.sales import HOUR, MINUTE, Contact, Deal, Lead, Meeting, Payment


@dataclass(slots=True)
class Activity:
    """A touch that is not a call."""

    key: int
    kind: str
    direction: str | None
    manager: int
    contact: Contact | None
    lead: Lead | None
    deal: Deal | None
    at: int


@dataclass(slots=True)
class Survey:
    """A customer's answer."""

    key: int
    deal: Deal
    names_manager: bool
    score: int
    at: int


class Touches:
    """Listens to the sales simulation."""

    def __init__(self, calendar: Calendar, rng: Random) -> None:
        self.calendar = calendar
        self.rng = rng
        self.activities: list[Activity] = []
        self.surveys: list[Survey] = []

    def hear(self, kind: str, person: int, at: int, item: object) -> None:
        """Turn an event into touches, where it caused any."""
        if isinstance(item, Lead):
            self._hear_lead(person, item)
        elif isinstance(item, Meeting):
            self._hear_meeting(kind, person, at, item)
        elif isinstance(item, Deal):
            self._hear_deal(kind, person, at, item)
        elif isinstance(item, Payment) and kind == "payment" and self.rng.random() < 0.4:
            answered = self._later(at, 30, 72 * 60)
            if answered is not None:
                score = self.rng.choices((5, 4, 3, 2, 1), (46, 30, 12, 7, 5))[0]
                named = self.rng.random() < 0.7
                self.surveys.append(
                    Survey(len(self.surveys) + 1, item.deal, named, score, answered)
                )

    def _hear_lead(self, person: int, lead: Lead) -> None:
        if lead.taken is None:
            return
        draw = self.rng.random()
        if draw < 0.32:
            self._add("message", person, lead.taken, 1, 45, lead=lead)
        elif draw < 0.5:
            self._add("email", person, lead.taken, 5, 240, lead=lead)
        elif draw < 0.58:
            self._add("social", person, lead.taken, 30, 600, lead=lead)
        if self.rng.random() < 0.12:
            self._add("email", person, lead.taken, 60, 2000, "in", lead=lead)
        if self.rng.random() < 0.1:
            self._add("task", person, lead.taken, 1, 10, lead=lead)

    def _hear_meeting(self, kind: str, person: int, at: int, meeting: Meeting) -> None:
        if kind == "meeting_set" and self.rng.random() < 0.5:
            self._add("email", person, at, 2, 60, lead=meeting.lead)
        elif kind == "meeting_confirmed" and self.rng.random() < 0.35:
            self._add("message", person, at, 0, 5, lead=meeting.lead)
        elif kind == "meeting_held" and meeting.kind == "demo":
            self._add("presentation", person, at, 5, 20, deal=meeting.deal)

    def _hear_deal(self, kind: str, person: int, at: int, deal: Deal) -> None:
        if kind in {"s_offer", "u_offer"}:
            self._add("proposal", person, at, -20, 0, deal=deal)
        elif kind in {"s_contract", "u_approval"} and self.rng.random() < 0.6:
            self._add("email", person, at, 1, 90, deal=deal)
        elif kind == "s_invoice" and self.rng.random() < 0.4:
            self._add("message", person, at, 5, 300, deal=deal)
        elif kind == "farming":
            self._add(
                self.rng.choice(("email", "message", "social")), person, at, 5, 200, deal=deal
            )

    def _add(
        self,
        kind: str,
        person: int,
        after: int,
        low: int,
        high: int,
        direction: str | None = None,
        lead: Lead | None = None,
        deal: Deal | None = None,
    ) -> None:
        """Add a touch between `low` and `high` minutes after a moment, in working hours."""
        at = self._later(after, low, high)
        if at is None:
            return
        if direction is None and self.rng.random() < 0.6:
            direction = "out"
        contact = lead.contact if lead and self.rng.random() < 0.5 else None
        named = lead if contact is None or self.rng.random() < 0.5 else None
        number = len(self.activities) + 1
        self.activities.append(Activity(number, kind, direction, person, contact, named, deal, at))

    def _later(self, after: int, low: int, high: int) -> int | None:
        at = after + self.rng.randint(low * MINUTE, high * MINUTE)
        day = local_day(at)
        hours = self.calendar.hours(day)
        if not hours or not moment(day, hours[0]) <= at < moment(day, hours[1]):
            day = self.calendar.next_working_day(day)
            at = moment(day, self.rng.randint(9 * HOUR + 300, 12 * HOUR))
        return at if day < self.calendar.end else None
