"""Three weeks of the company that every system serves, and how it was at any moment of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.standins.company import (
    Call,
    Company,
    Firm,
    Manager,
    Meeting,
    Move,
    Person,
    Removal,
    Ring,
    Sale,
    Spend,
    Touch,
    at,
    first_calls,
)

# When the last load is, a Monday morning; those before it are at ten to midnight in Moscow.
NOW = at(21)
# What no system says of a manager: role, first and last day.
ROLES = {
    1: ("hunter", "2024-01-15", None),
    2: ("lead_generator", "2024-02-01", None),
    3: ("farmer", "2023-05-10", None),
    4: ("hunter", "2022-11-01", "2026-03-20"),
}
CHANNELS = {"site": "site", "referral": "referral", "yandex": "yandex_direct", "google": "google"}
CHANNEL_NAMES = {"Сайт": "site", "Рекомендация": "referral", "Яндекс": "yandex_direct",
                 "Google": "google"}  # fmt: skip
# Plans: manager, what the head of sales calls the figure, its metric, and March's target.
PLANS = (
    (1, "Выручка", "revenue", "500000"),
    (2, "Назначено встреч", "meetings_set", "4"),
    (2, "Звонки от минуты", "calls_60s", "10.5"),
    (3, "Выручка", "revenue", "120000"),
)
# Units of the base currency for a dollar, and what a team cost in March.
RATES = {"2026-03-02": "80.5", "2026-03-10": "82.25"}
COSTS = {"Отдел продаж": "300000", "Лидогенерация": "90000.50"}
# Campaigns of the first system; the others are of the second, which counts in dollars.
YANDEX_CAMPAIGNS = (1, 2)


def night(day: int) -> datetime:
    """The nightly load of a day."""
    return at(day, 14, 50)


def whole_company() -> Company:
    """All that happens in the three weeks."""
    managers = [
        Manager(1, "Анна Примерова", "anna@romashka.example", "Отдел продаж", "101", is_admin=True),
        Manager(2, "Борис Образцов", "boris@romashka.example", "Лидогенерация", "102"),
        Manager(3, "Вера Фермерова", "vera@romashka.example", "Отдел продаж", "103"),
        Manager(4, "Глеб Уволенный", "gleb@romashka.example", "Отдел продаж", "104", False),
    ]
    firms = [
        # The first phone is the switchboard; the second is its own contact's.
        Firm(1, "ООО «Лютик»", ["+7 499 000-00-20", "+7 999 000-00-01"], at(0, 2), at(0, 2)),
        Firm(2, "ООО «Василёк»", ["8 (499) 000-00-30"], at(3), at(3)),
    ]
    people = [
        _person(1, "Иван Вымышленный", ["+7 999 000-00-01", "8 (999) 000 00 11"], at(0, 2), 1),
        _person(2, "Пётр Тестов", ["79990000002"], at(0, 4)),
        _person(3, "Мария Пробная", ["+79990000003"], at(1, 2)),
        _person(4, "Ника Бестелефонная", [], at(2, 1)),
        _person(5, "Олег Рекламный", ["9990000005"], at(7, 3)),
        _person(6, "Раиса Контекстная", ["8-999-000-00-06"], at(8, 2)),
        _person(7, "Семён Лишний", ["+7 (999) 000-00-07"], at(9)),
        _person(8, "Тамара Советова", ["+79990000008"], at(14, 1)),
        _person(9, "Ульян Передуманный", ["+79990000009"], at(15, 2)),
    ]
    sales = [
        _sale(1, people[0], 1, 120_000, "site", [
            Move(at(0, 2), "new", 0), Move(at(0, 3), "contact", 2), Move(at(2), "meeting", 2),
            Move(at(3, 5), "contract", 1), Move(at(4, 3), "won", 1),
        ], firm=1, is_target=True, contract_on="2026-03-25"),
        _sale(2, people[1], 2, 0, None, [
            Move(at(0, 4), "contact", 2), Move(at(3), "lost", 2),
        ], is_target=False, reason="Дорого"),
        _sale(3, people[2], 1, 30_000, "referral", [
            Move(at(1, 2), "new", 0), Move(at(1, 5), "contact", 1),
        ]),
        _sale(4, people[3], 1, 45_000, None, [Move(at(2, 1), "new", 0)], utm="google"),
        _sale(5, None, 2, 80_000, "site", [
            Move(at(3), "contact", 2), Move(at(7, 2), "meeting", 2),
        ], firm=2),
        _sale(6, people[4], 1, 200_000, "yandex", [
            Move(at(7, 3), "new", 0), Move(at(7, 4), "contact", 2), Move(at(8, 1), "meeting", 2),
            Move(at(9, 5), "contract", 1), Move(at(14, 2), "won", 1),
        ], is_target=True, utm="yandex"),
        _sale(7, people[5], 1, 60_000, "google", [
            Move(at(8, 2), "new", 0), Move(at(8, 5), "contact", 2), Move(at(9, 2), "meeting", 2),
            Move(at(10, 3), "lost", 1),
        ], is_target=False, reason="Не наш профиль"),
        _sale(8, people[0], 3, 50_000, None, [
            Move(at(10, 1), "new", 0), Move(at(14, 4), "won", 3),
        ], is_order=True),
        _sale(9, people[4], 3, 70_000, None, [
            Move(at(15, 1), "new", 0), Move(at(17, 2), "lost", 3),
        ], is_order=True, reason="Передумал"),
        # Deleted after the second load.
        _sale(10, people[6], 2, 15_000, "site", [Move(at(9), "new", 0)]),
        # Goes past a stage, and its first manager has left since.
        _sale(11, people[7], 4, 90_000, "referral", [
            Move(at(14, 1), "new", 0), Move(at(14, 3), "contact", 4),
            Move(at(16, 2), "contract", 1), Move(at(17, 5), "won", 1),
        ], is_target=True),
        # Lost, and taken up again.
        _sale(12, people[8], 2, 35_000, "site", [
            Move(at(15, 2), "new", 0), Move(at(15, 4), "contact", 2), Move(at(16, 4), "lost", 2),
            Move(at(18, 3), "contact", 2),
        ]),
    ]  # fmt: skip
    meetings = [
        Meeting(1, 1, 2, 1, at(2), at(3, 5), at(3, 5), is_done=True, result="Проведена"),
        Meeting(2, 5, 2, 2, at(7, 2), at(9, 4), at(7, 2), title="Презентация продукта"),
        Meeting(3, 6, 2, 1, at(8, 1), at(9, 5), at(9, 6), is_done=True, result="Проведена"),
        Meeting(4, 7, 2, 1, at(9, 2), at(10, 2), at(10, 3), is_done=True, result="Не состоялась"),
    ]
    touches = [
        Touch(1, 1, "mail", False, 2, at(0, 5)),
        Touch(2, 1, "mail", True, 0, at(0, 6)),
        Touch(3, 3, "chat", True, 0, at(1, 3)),
        Touch(4, 6, "chat", False, 2, at(7, 3, 5)),
        Touch(5, 12, "mail", False, 2, at(15, 3)),
        Touch(6, 8, "mail", False, 3, at(11)),
    ]
    return Company(
        managers, firms, people, sales, meetings, touches, _calls(),
        [Removal(1, "sale", 10, at(12))], _spending(), has_lead_phones=False,
    )  # fmt: skip


def _calls() -> list[Call]:
    return [
        *first_calls(),
        # Hangs up in the menu.
        Call(6, at(3), "in", "79990000044", ()),
        # Begins before midnight and is taken after it.
        Call(7, at(4, 14, 59, 50), "in", "79990000011",
             (Ring("101", 15, 40, talk=30),), queue="800"),
        Call(8, at(7, 3, 10), "out", "79990000005", (Ring("102", 0, 95, talk=80),)),
        # The first telephone is busy.
        Call(9, at(8, 2, 5), "in", "79990000006",
             (Ring("101", 5, 1, is_busy=True), Ring("102", 5, 120, talk=100)), queue="800"),
        # From a customer's switchboard.
        Call(10, at(9, 1), "in", "74990000020", (Ring("103", 6, 250, talk=240),)),
        # Missed; the customer calls again and is served.
        Call(11, at(10, 5), "in", "79990000008", (Ring("101", 5, 25),)),
        Call(12, at(10, 7), "in", "79990000008", (Ring("103", 5, 75, talk=65),)),
        # Short of a minute.
        Call(13, at(14, 2), "out", "74990000030", (Ring("103", 0, 35, talk=20),)),
        # Missed on the last evening.
        Call(14, at(20, 3), "in", "79990000003", (Ring("103", 3, 30),), queue="800"),
    ]  # fmt: skip


def _spending() -> list[Spend]:
    """A campaign with a tab in its name, one that stands still for a while, one in dollars."""
    found = []
    for day in range(2, 22):
        written = f"2026-03-{day:02}"
        found.append(
            Spend(written, 1, "Поиск | окна", 1_234_560_000 + day * 10_000, day * 100, day)
        )
        if day < 10 or day > 14:
            found.append(Spend(written, 2, "РСЯ\tпробная", 500_000_000, 1_000, 3))
        found.append(Spend(written, 3, "Search, brand", 12_345_678, 900, 31))
    return found


def _person(number: int, name: str, phones: list[str], since: datetime, firm: int | None = None
            ) -> Person:  # fmt: skip
    return Person(number, name, phones, f"p{number}@client.example", firm, since, since)


def _sale(
    number: int,
    person: Person | None,
    owner: int,
    amount: int,
    source: str | None,
    moves: list[Move],
    firm: int | None = None,
    is_target: bool | None = None,
    **more: Any,
) -> Sale:
    """A sale that is found good when its contract is drawn up, and bad when it is lost."""
    judged = {True: "contract", False: "lost"}.get(is_target) if is_target is not None else None
    return Sale(
        number,
        person.number if person else None,
        firm,
        owner,
        amount,
        source,
        moves,
        max(it.at for it in moves),
        is_target,
        next((it.at for it in moves if it.stage == judged), None),
        **more,
    )


class Timeline:
    """The company as it is at a moment; stand-ins are given `company`, which `show` changes."""

    def __init__(self) -> None:
        self._whole = whole_company()
        self.company = Company([], [], [], [], [], [], [], has_lead_phones=False)
        self.show(NOW)

    def show(self, moment: datetime) -> None:
        """Let it be this moment."""
        whole, shown = self._whole, self.company
        shown.managers = list(whole.managers)
        shown.removals = [it for it in whole.removals if it.at <= moment]
        gone = {it.entity_number: it.at for it in shown.removals}
        shown.firms = [it for it in whole.firms if it.created_at <= moment]
        shown.people = [it for it in whole.people if it.created_at <= moment]
        shown.sales = [
            _sale_at(it, moment, gone.get(it.number))
            for it in whole.sales
            if it.created_at <= moment
        ]
        shown.meetings = [_meeting_at(it, moment) for it in whole.meetings if it.set_at <= moment]
        shown.touches = [it for it in whole.touches if it.at <= moment]
        shown.calls = [it for it in whole.calls if it.started_at <= moment]
        shown.spending = [it for it in whole.spending if it.day <= f"{moment:%Y-%m-%d}"]


def _sale_at(sale: Sale, moment: datetime, deleted_at: datetime | None) -> Sale:
    moves = [it for it in sale.moves if it.at <= moment]
    is_judged = sale.target_at is not None and sale.target_at <= moment
    known = [it.at for it in moves] + [it for it in (deleted_at,) if it]
    return replace(
        sale,
        moves=moves,
        updated_at=max(known),
        is_target=sale.is_target if is_judged else None,
        target_at=sale.target_at if is_judged else None,
        reason=sale.reason if moves[-1].stage == "lost" else None,
        is_deleted=deleted_at is not None,
    )


def _meeting_at(meeting: Meeting, moment: datetime) -> Meeting:
    if meeting.updated_at <= moment:
        return meeting
    return replace(meeting, is_done=False, result=None, updated_at=meeting.set_at)
