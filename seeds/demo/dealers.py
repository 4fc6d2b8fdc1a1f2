"""Orders of dealers: deals whose chance to be won is known to the generator, and to nobody else.

A dealer asks questions on the day on which he places an order; how many says how likely it is to
be won. When it closes, when terms are agreed and when the farmer writes are drawn without a look
at that: so the chance of an open deal, given that it closes, is that of its questions for as long
as it is open. It stands in no row: `Dealers.chances` has it by the deal's key.

All is drawn by a generator of random numbers of its own, after the rest of the department, and
takes the keys after the others': what the department does without dealers stays as it is.
"""

from __future__ import annotations

from datetime import date
from random import Random

from seeds.demo import company
from seeds.demo.clock import Calendar, moment
from seeds.demo.plan import Steady, daily_counts
from seeds.demo.sales import HOUR, MINUTE, Contact, Deal, Payment, Sales
from seeds.demo.touches import Activity, Touches

ORDERS_A_DAY = 7.0
DEALERS = 90
# Chance to be won by the number of questions on the first day, and how many ask as many.
CHANCES = {0: 0.15, 1: 0.4, 2: 0.6, 4: 0.8, 6: 0.9}
WEIGHTS = (25, 20, 20, 20, 15)
# Each working day of an open order: that it closes, that its terms are agreed, that the farmer
# writes. A sixth of the open ones close in a week.
CLOSING, AGREEING, WRITING = 0.035, 0.06, 0.05


class Dealers:
    """Adds the orders to what the department did."""

    def __init__(self, calendar: Calendar, rng: Random, sales: Sales, touches: Touches) -> None:
        self.calendar = calendar
        self.rng = rng
        self.sales = sales
        self.touches = touches
        self.people: list[Contact] = []
        self.chances: dict[int, float] = {}
        self.wins = {chance: Steady(rng) for chance in CHANCES.values()}

    def run(self) -> None:
        """Simulate every day of the range."""
        plan = daily_counts(self.calendar, self.rng, lambda _: ORDERS_A_DAY)
        open_deals: list[Deal] = []
        for day in self.calendar.working_days:
            open_deals = [deal for deal in open_deals if self._stays_open(deal, day)]
            open_deals += [self._order(day) for _ in range(plan[day])]

    def _order(self, day: date) -> Deal:
        """Place an order in the morning, and ask about it until the evening."""
        created = self._between(day, 9.25, 13)
        farmer = company.FARMERS[len(self.chances) % len(company.FARMERS)]
        deal = Deal(
            len(self.sales.deals) + 1,
            self._dealer(created),
            None,
            "new",
            company.DEALER_SOURCE,
            min(round(self.rng.lognormvariate(9.6, 0.5) / 100), 600) * 10_000,
            "RUB",
            created,
            [(created, farmer)],
            [(created, "d_new", farmer)],
        )
        self.sales.deals.append(deal)
        questions = self.rng.choices(list(CHANCES), WEIGHTS)[0]
        self.chances[deal.key] = CHANCES[questions]
        for at in sorted(self._between(day, 13.1, 17) for _ in range(questions)):
            self._write(self.rng.choice(("message", "email")), "in", deal, at)
        return deal

    def _stays_open(self, deal: Deal, day: date) -> bool:
        if self.rng.random() < CLOSING:
            self._close(deal, self._between(day, 11, 16.5))
            return False
        if deal.moves[-1][1] == "d_new" and self.rng.random() < AGREEING:
            deal.moves.append((self._between(day, 9.25, 16.5), "d_agreed", deal.owner))
        if self.rng.random() < WRITING:
            self._write("email", "out", deal, self._between(day, 9.25, 16.5))
        return True

    def _close(self, deal: Deal, at: int) -> None:
        if self.wins[self.chances[deal.key]].draw(self.chances[deal.key]):
            deal.first_paid = at - self.rng.randint(1, 20) * MINUTE
            self.sales.payments.append(
                Payment(len(self.sales.payments) + 1, deal, deal.first_paid, deal.amount, "payment")
            )
            deal.moves.append((at, "d_won", deal.owner))
        else:
            deal.lost_reason = self.rng.choice(company.LOST_REASONS)
            deal.moves.append((at, "d_lost", deal.owner))

    def _dealer(self, at: int) -> Contact:
        """Take one of the dealers; in the first weeks there are ever more of them."""
        place = self.rng.randrange(DEALERS)
        if place < len(self.people):
            return self.people[place]
        self.sales.phones += 1
        dealer = Contact(
            len(self.sales.contacts) + 1, at, company.DEALER_SOURCE, [self.sales.phones]
        )
        self.sales.contacts.append(dealer)
        self.people.append(dealer)
        return dealer

    def _write(self, kind: str, direction: str, deal: Deal, at: int) -> None:
        number = len(self.touches.activities) + 1
        self.touches.activities.append(
            Activity(number, kind, direction, deal.owner, None, None, deal, at)
        )

    def _between(self, day: date, earliest: float, latest: float) -> int:
        """Draw a moment of a day between two local hours."""
        return moment(day, self.rng.randint(int(earliest * HOUR), int(latest * HOUR)))
