"""What a kind gives the shared tests: its stand-in, its keys, its errors, its columns."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from orchestration.connectors.connector import Connector
from orchestration.connectors.registry import all_kinds
from tests.connectors import adapters
from tests.connectors.zone import Rows, settled
from tests.standins.company import Call, Company, Ring, at
from tests.standins.server import Reply, Request, StandIn

# The end of the first load in the shared story, and of the second.
FIRST, SECOND = at(8), at(9, 2)


@dataclass(frozen=True)
class ErrorCase:
    """An answer that goes wrong, and what has to come of it.

    `reply` stands for every request that `hits`; after `times` of them the system is well again
    (None: never). `words` have to be in the message, `requests` is how often the same was asked.
    """

    name: str
    reply: Reply
    exit_code: int
    hits: Callable[[Request], bool]
    words: Sequence[str] = ()
    requests: int | None = None
    times: int | None = None
    waits: Sequence[float] = ()


class Adapter(ABC):
    """One kind of system in the shared tests."""

    kind: ClassVar[str]
    # Columns that its mapping leaves NULL, by table; all others are filled by some row.
    nulls: ClassVar[Mapping[str, Sequence[str]]] = {}
    # Tables that the company of the tests gives this kind nothing for.
    empty: ClassVar[Sequence[str]] = ()
    # Requests of an incremental load with nothing new; None: the kind makes none.
    least_requests: ClassVar[int | None] = None
    # Columns whose values depend on when the loads were, by table; none named: the whole table.
    dated: ClassVar[Mapping[str, Sequence[str]]] = {}
    # How long after a silent deletion the next sweep is due; zero where deletions are signalled.
    deletions_after: ClassVar[timedelta] = timedelta(0)
    # Keys that make a first load until day 6 short.
    short: ClassVar[Mapping[str, Any]] = {"start_date": "2026-03-07"}
    # A page of a list that has several, in a stand-in of small pages: (path, number of its page).
    paged: ClassVar[Callable[[Request], bool] | None] = None

    @property
    def connector(self) -> type[Connector[Any]]:
        return all_kinds()[self.kind]

    @abstractmethod
    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        """The system, serving the company as it is at each request."""

    @abstractmethod
    def keys(self, standin: StandIn) -> dict[str, Any]:
        """The block in connections.yml."""

    @abstractmethod
    def secrets(self) -> Mapping[str, str]:
        """Environment variables with secrets, by name."""

    def hidden(self) -> Sequence[str]:
        """Texts that no file or message may have."""
        return list(self.secrets().values())

    def story(self) -> Story:
        """What happens between the first load and the second."""
        return crm_story()

    def errors(self) -> Sequence[ErrorCase]:
        """Every error of the kind's page, with the behaviour that the page asks for."""
        return ()

    def settled(self, raw: Path) -> Mapping[str, Rows]:
        """What the zone says in the end, without what depends on when the loads were."""
        found = {}
        for table, rows in settled(raw).items():
            columns = self.dated.get(table)
            if columns is None or columns:
                found[table] = {
                    key: {name: it for name, it in row.items() if name not in (columns or ())}
                    for key, row in rows.items()
                }
        return found

    def samples(self) -> Path:
        """Where the sample answers lie."""
        return SAMPLES


@dataclass
class Story:
    """What happens to the company between the first load and the second."""

    steps: list[Callable[[Company], None]] = field(default_factory=list)

    def tell(self, company: Company) -> None:
        for step in self.steps:
            step(company)


def crm_story() -> Story:
    """Moves, a new sale, another amount, a lost phone, a renamed firm, a deletion."""

    def phones(company: Company) -> None:
        person = company.person(1)
        person.phones, person.updated_at = ["+7 999 000-00-01"], at(8, 3)

    def firm(company: Company) -> None:
        company.firm(1).name, company.firm(1).updated_at = "АО «Лютик»", at(8, 4)

    def reopen(company: Company) -> None:
        company.sale(2).reason = None
        company.move(2, "contact", at(8, 7))

    return Story(
        [
            lambda it: it.move(3, "meeting", at(8, 1)),
            lambda it: it.add_sale(6, at(8, 2), person=2) and None,
            lambda it: it.reprice(5, 85_000, at(8, 2)),
            phones,
            firm,
            lambda it: it.delete_sale(4, at(8, 5)),
            lambda it: it.move(1, "contract", at(8, 6)),
            reopen,
            lambda it: it.merge_people(3, 2, at(8, 8)),
        ]
    )


def calls_story() -> Story:
    """A new call, and one that had begun before the first load ended, and ends after it."""
    late = Call(7, at(7, 23), "in", "79990000002", (Ring("102", 5, 7_200, talk=7_195),))
    queued = Call(8, at(8, 2), "in", "79990000009", (Ring("101", 3, 33, talk=30),), "800")
    return Story([lambda it: it.calls.append(late), lambda it: it.calls.append(queued)])


def all_adapters() -> list[Adapter]:
    """The adapters of all kinds: every module of the folder names its own."""
    found: list[Adapter] = []
    for module in sorted(it.name for it in pkgutil.iter_modules(adapters.__path__)):
        found += importlib.import_module(f"{adapters.__name__}.{module}").ADAPTERS
    return found


SAMPLES = Path(__file__).resolve().parent / "samples"
