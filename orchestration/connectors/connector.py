"""What a kind has to provide, and what the frame gives it to work with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from orchestration.base.errors import WrongUse
from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.secrets import Mask, SecretStore, read_secret

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.base.settings import Settings
    from orchestration.connectors.clock import Clock, Stamps
    from orchestration.connectors.own_rows import OwnRows
    from orchestration.connectors.report import Report
    from orchestration.raw_zone.contract import Contract

C = TypeVar("C", bound=Connection)

# A row: the contract's columns, each a text or None. `_loaded_at` is the instant at which the page
# with the row arrived; where it is missing, the frame takes the run's.
Row = dict[str, Any]
LOADED_AT = "_loaded_at"
# Compare with everything that was ever written.
ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """What one finished piece of reading gives: its rows, and what is true once they are written.

    `rows` are by the contract's table (`crm.leads`) or by a private table of the kind
    (`crm._amocrm_events`). `state` replaces these keys of the connection's state, in the same load
    package as the rows. `done` is the share of the run that is read now, 0 to 1.

    `known_since`: the window may hold rows that were written before, none of them before that
    instant; those that have not changed are not written again. None: it holds none.
    """

    what: str
    rows: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    done: float = 0.0
    known_since: datetime | None = None


@dataclass(frozen=True)
class Slice:
    """What one run is asked for: everything new, or a range of time again (`--from`, `--to`)."""

    start: datetime | None = None
    end: datetime | None = None

    @property
    def is_named(self) -> bool:
        """Whether somebody asked for a range."""
        return self.start is not None or self.end is not None


@dataclass
class Work:
    """What the frame gives a connector for one run."""

    settings: Settings
    contract: Contract
    clock: Clock
    stamps: Stamps
    mask: Mask
    report: Report
    own: OwnRows
    state: Mapping[str, Any]
    slice: Slice = field(default_factory=Slice)

    @cached_property
    def started_at(self) -> datetime:
        """One load instant for the whole run, later than those of all runs before."""
        return self.stamps.next()


class Connector(ABC, Generic[C]):
    """One connection at work. Subclasses in `kinds` are found by the registry.

    Nothing heavy may be imported where a kind's module begins: the command lists all kinds.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    # Under docs/connectors.
    page: ClassVar[str]
    # The raw zone's folder, and the contract's tables that may be filled.
    source: ClassVar[str]
    tables: ClassVar[Sequence[str]]
    # Tables of the kind's own, in the raw zone but not part of it: their names begin with `_`.
    private_tables: ClassVar[Mapping[str, Sequence[str]]] = {}
    config: ClassVar[type[Connection]]

    def __init__(self, connection: C, work: Work) -> None:
        self.connection = connection
        self.work = work

    @abstractmethod
    def read(self) -> Iterator[Window]:
        """Read what is new since the state, oldest first. May be ended after any window."""

    @abstractmethod
    def check(self) -> Iterator[Finding]:
        """Try the connection without writing anything."""

    @classmethod
    def folder_of(cls, connection: C) -> str:
        """The raw zone's folder that this connection writes into."""
        return cls.source

    def preview(self, file: Path) -> Iterator[Finding]:
        """How a file would be read, of kinds that read files. Raises WrongUse of others."""
        raise WrongUse(
            f"{self.connection.name} is of kind {self.kind}, which reads no file like {file.name}.",
            f"`voronka connect check {self.connection.name}` tries the connection.",
        )

    @classmethod
    def key_spaces(cls, connection: C) -> Iterator[tuple[str, str, str]]:
        """Table, what keeps this connection's keys apart there, and the key that sets it."""
        for table in cls.tables:
            yield table, connection.prefix, "prefix"

    @classmethod
    def same_system_hint(cls, other: str) -> str:
        """How a clash goes on where both may read one system on purpose; ends the sentence."""
        return "."

    def secret(self, key: str) -> str:
        """The secret that a key refers to; hidden in all texts from now on."""
        return read_secret(getattr(self.connection, key), self.connection.name, key, self.work.mask)

    def secret_store(self, seed: str) -> SecretStore:
        """Where secrets live that the system changes by itself."""
        file = self.work.settings.data / "secrets" / f"{self.connection.name}.json"
        return SecretStore(file, seed, self.work.mask)
