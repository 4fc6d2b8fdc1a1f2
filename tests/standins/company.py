"""One invented company, which every stand-in serves in its system's own words.

Nothing here belongs to a system: ids are small numbers, times are UTC, phones are of the range
that no operator gives out. A stand-in renders the company anew for every request, so that a test
can change it between two loads, or between two pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# The stages of the one pipeline in which things are sold, in order.
STAGES = ("new", "contact", "meeting", "contract", "won", "lost")
STAGE_NAMES = {
    "new": "Неразобранное",
    "contact": "Первичный контакт",
    "meeting": "Встреча назначена",
    "contract": "Договор",
    "won": "Успешно реализовано",
    "lost": "Закрыто и не реализовано",
}
# Those of the pipeline of repeat orders, which nobody is a lead for.
ORDER_STAGES = ("new", "won", "lost")
ORDER_STAGE_NAMES = {"new": "Новый", "won": "Доставлен", "lost": "Отменён"}
CLOSED = ("won", "lost")
BEGIN = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
LINE = "74990000100"


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """An instant so many days and hours after the company's first hour."""
    return BEGIN + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


@dataclass
class Manager:
    """Somebody who sells; `extension` is his telephone."""

    number: int
    name: str
    email: str
    team: str
    extension: str
    is_active: bool = True
    is_admin: bool = False


@dataclass
class Firm:
    """A customer that is a company."""

    number: int
    name: str
    phones: list[str]
    created_at: datetime
    updated_at: datetime
    is_deleted: bool = False


@dataclass
class Person:
    """A customer's contact."""

    number: int
    name: str
    phones: list[str]
    email: str | None
    firm: int | None
    created_at: datetime
    updated_at: datetime
    is_deleted: bool = False
    source: str | None = None


@dataclass(frozen=True)
class Move:
    """A sale entered a stage; `by` is a manager's number, 0 a robot."""

    at: datetime
    stage: str
    by: int


@dataclass
class Sale:
    """A lead and its deal. `moves` begins with the stage in which it was created."""

    number: int
    person: int | None
    firm: int | None
    owner: int
    amount: int
    source: str | None
    moves: list[Move]
    updated_at: datetime
    is_target: bool | None = None
    target_at: datetime | None = None
    reason: str | None = None
    utm: str | None = None
    contract_on: str | None = None
    is_deleted: bool = False
    # A sale to somebody who has bought before; an order: in the pipeline of repeat orders.
    is_return: bool = False
    is_order: bool = False

    @property
    def created_at(self) -> datetime:
        return self.moves[0].at

    @property
    def stage(self) -> str:
        return self.moves[-1].stage

    @property
    def closed_at(self) -> datetime | None:
        return self.moves[-1].at if self.stage in CLOSED else None

    def lead_moves(
        self, new: str, work: str, good: str, bad: str
    ) -> list[tuple[datetime, str, int]]:
        """A lead is new, taken by the first who moves the sale, then found good or bad."""
        first = self.moves[0]
        found = [(first.at, new if first.stage == "new" else work, first.by)]
        if first.stage == "new" and len(self.moves) > 1:
            found.append((self.moves[1].at, work, self.moves[1].by))
        if self.is_target is not None and self.target_at is not None:
            found.append((self.target_at, good if self.is_target else bad, 2))
        return sorted(found)


@dataclass
class Meeting:
    """A meeting about a sale; `result` once it is over."""

    number: int
    sale: int
    set_by: int
    held_by: int
    set_at: datetime
    due_at: datetime
    updated_at: datetime
    title: str = "Встреча в офисе"
    is_done: bool = False
    result: str | None = None


@dataclass(frozen=True)
class Touch:
    """A mail or a message about a sale."""

    number: int
    sale: int
    kind: str
    is_incoming: bool
    by: int
    at: datetime


@dataclass(frozen=True)
class Ring:
    """A telephone that rang: so many seconds after the call began, for how long, and the talk."""

    extension: str
    after: int
    seconds: int
    talk: int = 0
    is_busy: bool = False


@dataclass(frozen=True)
class Call:
    """A conversation of a customer with the company. `queue` where it came through one."""

    number: int
    started_at: datetime
    direction: str
    customer: str
    rings: tuple[Ring, ...]
    queue: str | None = None

    @property
    def is_answered(self) -> bool:
        return any(ring.talk for ring in self.rings)

    @property
    def seconds(self) -> int:
        return max((ring.after + ring.seconds for ring in self.rings), default=12)


@dataclass(frozen=True)
class Spend:
    """What a campaign cost on a day, in the smallest parts that systems count in: millionths."""

    day: str
    campaign: int
    name: str
    micros: int
    impressions: int
    clicks: int


@dataclass(frozen=True)
class Removal:
    """A sale (or a person) was deleted, or came back."""

    number: int
    entity: str
    entity_number: int
    at: datetime
    is_return: bool = False


@dataclass
class Company:
    """All that there is, and what happens to it."""

    managers: list[Manager]
    firms: list[Firm]
    people: list[Person]
    sales: list[Sale]
    meetings: list[Meeting]
    touches: list[Touch]
    calls: list[Call]
    removals: list[Removal] = field(default_factory=list)
    spending: list[Spend] = field(default_factory=list)
    # Whether a lead says a telephone itself, beside its contact's.
    has_lead_phones: bool = True

    @property
    def has_orders(self) -> bool:
        """Whether there is a pipeline of repeat orders."""
        return any(it.is_order for it in self.sales)

    def sale(self, number: int) -> Sale:
        return next(it for it in self.sales if it.number == number)

    def person(self, number: int) -> Person:
        return next(it for it in self.people if it.number == number)

    def firm(self, number: int) -> Firm:
        return next(it for it in self.firms if it.number == number)

    def move(self, number: int, stage: str, when: datetime, by: int = 1) -> None:
        """A sale enters a stage."""
        sale = self.sale(number)
        sale.moves.append(Move(when, stage, by))
        sale.updated_at = when

    def reprice(self, number: int, amount: int, when: datetime) -> None:
        """A sale's amount changes."""
        sale = self.sale(number)
        sale.amount, sale.updated_at = amount, when

    def add_sale(self, number: int, when: datetime, person: int, owner: int = 1) -> Sale:
        """A new sale, in the first stage."""
        sale = Sale(number, person, None, owner, 10_000 * number, "site", [], when)
        sale.moves.append(Move(when, "new", 0))
        self.sales.append(sale)
        return sale

    def delete_sale(self, number: int, when: datetime) -> None:
        """A sale is deleted, and the system says so."""
        sale = self.sale(number)
        sale.is_deleted, sale.updated_at = True, when
        self._removal("sale", number, when)

    def restore_sale(self, number: int, when: datetime) -> None:
        """It comes back as it was: its own time of change is that of before the deletion."""
        sale = self.sale(number)
        sale.is_deleted = False
        sale.updated_at = max(move.at for move in sale.moves)
        self._removal("sale", number, when, is_return=True)

    def delete_person(self, number: int, when: datetime) -> None:
        """A contact is deleted."""
        person = self.person(number)
        person.is_deleted, person.updated_at = True, when
        self._removal("person", number, when)

    def merge_people(self, loser: int, winner: int, when: datetime) -> None:
        """Two contacts become one; sales of the loser move on without a sign of it."""
        for sale in self.sales:
            if sale.person == loser:
                sale.person = winner
        self.delete_person(loser, when)

    def hide_sale(self, number: int) -> None:
        """It is gone, and nothing says so."""
        self.sales = [it for it in self.sales if it.number != number]

    def _removal(self, entity: str, number: int, when: datetime, is_return: bool = False) -> None:
        self.removals.append(Removal(len(self.removals) + 1, entity, number, when, is_return))


def first_calls() -> list[Call]:
    """Calls of the first days."""
    return [
        # Through a queue: one telephone rings in vain, the second is taken.
        Call(1, at(0, 1, 30), "in", "79990000001",
             (Ring("102", 20, 11), Ring("101", 20, 182, talk=171)), queue="800"),
        # Missed; called back the next morning.
        Call(2, at(0, 2, 40), "in", "79990000002", (Ring("101", 15, 20),), queue="800"),
        Call(3, at(1), "out", "79990000002", (Ring("101", 0, 109, talk=95),)),
        Call(4, at(1, 1), "out", "79990000003", (Ring("102", 0, 40),)),
        Call(5, at(2, 3), "in", "79990000003", (Ring("101", 4, 64, talk=60),)),
    ]  # fmt: skip


def small_company() -> Company:
    """Ten days of a company with three managers: every kind of fact at least once."""
    managers = [
        Manager(1, "Анна Примерова", "anna@romashka.example", "Отдел продаж", "101", is_admin=True),
        Manager(2, "Борис Образцов", "boris@romashka.example", "Лидогенерация", "102"),
        Manager(3, "Вера Уволенная", "vera@romashka.example", "Отдел продаж", "103", False),
    ]
    firms = [
        Firm(1, "ООО «Лютик»", ["+7 499 000-00-20", "+7 999 000-00-01"], at(0), at(0)),
        Firm(2, "ООО «Василёк»", ["+7 499 000-00-30"], at(1), at(1)),
    ]
    people = [
        Person(1, "Иван Вымышленный", ["+7 999 000-00-01", "8 (999) 000 00 11"],
               "ivan@client.example", 1, at(0), at(0), source="site"),
        Person(2, "Пётр Тестов", ["79990000002"], None, None, at(0, 1), at(0, 1)),
        Person(3, "Мария Пробная", ["+79990000003"], "maria@client.example", None, at(1), at(1)),
        Person(4, "Без Телефона", [], None, None, at(2), at(2)),
    ]  # fmt: skip
    sales = [
        Sale(1, 1, 1, 1, 120_000, "site", [
            Move(at(0, 2), "new", 0), Move(at(0, 3), "contact", 2), Move(at(2), "meeting", 2),
            Move(at(4), "contract", 1), Move(at(6), "won", 1),
        ], at(6), True, at(1), utm="yandex", contract_on="2026-03-25"),
        Sale(2, 2, None, 2, 0, None, [
            Move(at(0, 4), "contact", 2), Move(at(3), "lost", 2),
        ], at(3), False, at(2), reason="Дорого"),
        Sale(3, 3, None, 1, 30_000, "referral", [
            Move(at(1, 2), "new", 0), Move(at(1, 5), "contact", 1),
        ], at(1, 5), is_return=True),
        Sale(4, 4, None, 1, 45_000, None, [Move(at(2, 1), "new", 0)], at(2, 1), utm="google"),
        Sale(5, None, 2, 2, 80_000, "site", [
            Move(at(3), "contact", 2), Move(at(5), "meeting", 2),
        ], at(5), True, at(4)),
    ]  # fmt: skip
    meetings = [
        Meeting(1, 1, 2, 1, at(2), at(3, 5), at(3, 6), is_done=True, result="Проведена"),
        Meeting(2, 5, 2, 2, at(5), at(7), at(5), title="Презентация продукта"),
        Meeting(3, 3, 1, 1, at(2), at(4), at(4, 1), is_done=True, result="Не состоялась"),
    ]
    touches = [
        Touch(1, 1, "mail", False, 2, at(0, 5)),
        Touch(2, 1, "mail", True, 0, at(0, 6)),
        Touch(3, 3, "chat", True, 0, at(1, 3)),
    ]
    calls = [*first_calls(), Call(6, at(3), "in", "79990000004", ())]
    spending = [
        Spend(f"2026-03-{day:02}", campaign, name, day * 10_000_000 * campaign, day * 100, day)
        for day in range(1, 10)
        for campaign, name in ((1, "Поиск | окна"), (2, "РСЯ\tпробная"))
    ]
    return Company(managers, firms, people, sales, meetings, touches, calls, spending=spending)
