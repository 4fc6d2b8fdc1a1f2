"""Asterisk's table of call records in MySQL, MariaDB or Postgres (3.3).

Read with SQLAlchemy by ourselves: dlt's `sql_database` reads times by their type, and its Arrow
back ends break on the zero dates that such tables hold. Times are asked for as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote

from orchestration.base.errors import first_line
from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Window
from orchestration.connectors.errors import Refused, TryLater
from orchestration.connectors.http import WAITS
from orchestration.connectors.kinds.asterisk.cel import ChannelEvent, event_of, talk_of
from orchestration.connectors.kinds.asterisk.keys import AsteriskSqlConnection
from orchestration.connectors.kinds.asterisk.mapping import COLUMNS, Record, Sessions
from orchestration.connectors.kinds.asterisk.shared import CALLS, Asterisk

if TYPE_CHECKING:
    import sqlalchemy as sa

_REQUIRED = (
    "calldate", "src", "dst", "channel", "dstchannel", "disposition", "duration", "billsec",
    "uniqueid",
)  # fmt: skip
_TIMES = ("calldate", "start", "answer", "end")
_CURSOR = "cursor:cdr"
_DAY = timedelta(days=1)
# Before this is where systems write that they do not know.
_NO_TIME = datetime(1970, 1, 2)  # noqa: DTZ001 - local, as the table's own times are
_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
# MySQL's TIMESTAMP and Postgres' timestamp with time zone, as their drivers number them.
_INSTANTS = {"mysql": 7, "mariadb": 7, "postgresql": 1184}
# How a session is told to give instants in UTC, when it begins.
_IN_UTC: dict[str, dict[str, Any]] = {
    "mysql": {"init_command": "set time_zone = '+00:00'"},
    "mariadb": {"init_command": "set time_zone = '+00:00'"},
    "postgresql": {"options": "-c timezone=UTC"},
}
# MySQL's codes and Postgres' classes for what a retry cannot mend: login, rights, names.
_REFUSALS = frozenset({1044, 1045, 1046, 1049, 1054, 1130, 1142, 1143, 1146, 1227, 1698})
_REFUSAL_CLASSES = ("28", "3D", "42")


class AsteriskSql(Asterisk[AsteriskSqlConnection]):
    """The table `cdr`."""

    kind: ClassVar[str] = "asterisk_sql"
    title: ClassVar[str] = "Asterisk / FreePBX, a table"
    config: ClassVar[type[Connection]] = AsteriskSqlConnection

    @cached_property
    def engine(self) -> sa.Engine:
        """The database; its password is hidden in all texts."""
        import sqlalchemy as sa

        dsn = self.secret("dsn")
        self._hide_password(dsn)
        try:
            url = sa.make_url(dsn)
        except (sa.exc.ArgumentError, ValueError):
            raise Refused(
                f"{self.connection.name}: dsn is no address of a database.",
                "Write it as mysql+pymysql://user:password@host/asteriskcdrdb.",
            ) from None
        if "@" in (url.host or ""):
            raise Refused(
                f"{self.connection.name}: dsn has a second @, so that its host cannot be told.",
                "Write %40 for an @ in the user's name or the password.",
            )
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        system = url.get_backend_name()
        if system not in _IN_UTC:
            raise Refused(
                f"{self.connection.name}: dsn: tables in {system} are not read.",
                "Write mysql+pymysql://… or postgresql+psycopg://….",
            )
        try:
            # One connection for the whole run: a login costs more than a day's records. One that
            # the server has closed meanwhile is opened again.
            return sa.create_engine(
                url, pool_size=1, max_overflow=0, pool_pre_ping=True, connect_args=_IN_UTC[system]
            )
        except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
            raise Refused(
                f"{self.connection.name}: dsn: {first_line(error)}",
                "Use mysql+pymysql or postgresql+psycopg, and install the project's lock.",
            ) from None

    def _hide_password(self, dsn: str) -> None:
        """Hide it as it is written and as the database gets it, also where the rest is amiss."""
        login, _, place = dsn.partition("://")[2].rpartition("@")
        options = parse_qs(place.partition("?")[2])
        words = [it for name, values in options.items() if "pass" in name.lower() for it in values]
        for word in (login.partition(":")[2], *words):
            self.work.mask.hide(word)
            self.work.mask.hide(unquote(word))

    def read(self) -> Iterator[Window]:
        """New records, slice after slice, with those of the last day again."""
        yield self.directory()
        try:
            yield from self._calls()
        finally:
            self.engine.dispose()

    def _calls(self) -> Iterator[Window]:
        sessions = Sessions(self.mapper)
        cursor = self.work.state.get(_CURSOR)
        begin, end = self._range(cursor)
        if cursor is None and not self.work.slice.is_named:
            yield self._timeless()
        step = timedelta(seconds=self.connection.slice)
        if cursor is not None:
            # What is read again comes with what is new, in one question.
            step += timedelta(seconds=self.connection.reread)
        start, is_checked = begin, False
        while start < end:
            until = min(start + step, end)
            # A conversation of the first slice may have begun on the day before.
            records = self._records(start - _DAY if start == begin else start, until)
            if start == begin:
                first = [it for it in records if it.start < str(begin)]
                sessions.remember(first)
                records = records[len(first) :]
            if records and not is_checked:
                self.check_zone(records)
                is_checked = True
            self._read_talk(records)
            rows = self.finish(sessions.take(records))
            self.work.report.account("cdr", len(records), len(records))
            known = datetime.fromisoformat(cursor) if cursor else None
            is_known = self.work.slice.is_named or (known is not None and start < known)
            since = start.replace(tzinfo=self.connection.zone) - 2 * _DAY if is_known else None
            moved = {} if self.work.slice.is_named else {_CURSOR: max(cursor or "", str(until))}
            share = (until - begin) / (end - begin)
            yield Window(f"cdr to {until:%Y-%m-%d %H:%M}", {CALLS: rows}, moved, share, since)
            start = until

    def check(self) -> Iterator[Finding]:
        """The table, its columns, the zone, and what some of its records become."""
        columns = self.columns
        yield Finding("good", f"Table {self.connection.table}: {', '.join(columns)}")
        if "linkedid" not in columns:
            yield Finding(
                "note",
                "There is no linkedid: conversations are put together by channels",
                "Add the column; FreePBX and newer Asterisk fill it.",
            )
        if self.connection.cel_table is None:
            yield Finding(
                "note",
                "cel_table is not set: talk includes some seconds before a person answered",
                "docs/connectors/asterisk.md says what it gives.",
            )
        latest = self._local(self.work.clock.now())
        self._asked = columns
        records = self._records(latest - 7 * _DAY, latest)
        yield from self.findings(records)

    @cached_property
    def columns(self) -> list[str]:
        """The table's columns, in their order. Raises Refused where one is missing."""
        import sqlalchemy as sa

        schema, _, table = self.connection.table.rpartition(".")
        source = sa.table(table, schema=schema or None)
        nothing: Any = sa.select(sa.literal_column("*")).select_from(source).where(sa.text("1 = 0"))
        with self._asking("columns") as connection:
            result = connection.execute(nothing)
            described = [(str(it[0]), it[1]) for it in result.cursor.description]
        names = [name for name, _ in described]
        self._types = {name.lower(): kind for name, kind in described}
        missing = [name for name in _REQUIRED if name not in self._types]
        if missing:
            raise Refused(
                f"{self.connection.name}: Asterisk, table {self.connection.table}: it has no "
                f"{', '.join(missing)}.",
                "Name the right table, or add the columns in the exchange's configuration.",
            )
        return names

    @cached_property
    def _asked(self) -> list[str]:
        """The columns that are asked for: those that a record's row and its key are made of."""
        is_numbered = "sequence" in (it.lower() for it in self.columns)
        wanted = COLUMNS if self.connection.recording_url_template else COLUMNS - {"recordingfile"}
        return [it for it in self.columns if not is_numbered or it.lower() in wanted]

    @cached_property
    def _is_utc(self) -> bool:
        """Whether the table keeps instants: then they are asked for in UTC."""
        assert self.columns
        return self._types["calldate"] == _INSTANTS.get(self.engine.dialect.name)

    def _range(self, cursor: str | None) -> tuple[datetime, datetime]:
        """What is to be read, in the table's own time."""
        keys, asked = self.connection, self.work.slice
        end = self._local(self.work.clock.now()) - timedelta(seconds=keys.settle)
        if asked.is_named:
            begin = self._local(asked.start) if asked.start else self._first_day()
            return begin, min(end, self._local(asked.end)) if asked.end else end
        if cursor is None:
            return self._first_day(), end
        return datetime.fromisoformat(cursor) - timedelta(seconds=keys.reread), end

    def _first_day(self) -> datetime:
        if self.connection.start_date is None:
            raise Refused(
                f"{self.connection.name}: start_date is missing: from which day on to read.",
                "Write for example start_date: 2026-01-01.",
            )
        return datetime.combine(self.connection.start_date, datetime.min.time())

    def _local(self, moment: datetime) -> datetime:
        """An instant in the table's own time, without its zone; whole seconds."""
        zone = UTC if self._is_utc else self.connection.zone
        return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)

    def _timeless(self) -> Window:
        """Records without a time: they are written as they are, and judged by the contract."""
        records = self._records(None, _NO_TIME)
        rows = self.finish([row for _, row in self.mapper.rows(records)])
        self.work.report.account("cdr", len(records), len(records))
        return Window("records without a time", {CALLS: rows})

    def _records(self, begin: datetime | None, end: datetime) -> list[Record]:
        """Records of a range, by the time at which they began."""
        found = self._ask(begin, end)
        if self._asked != self.columns and not all(it.get("sequence") for it in found):
            # Their keys are made of all columns: so they are, from here on.
            self._asked = self.columns
            found = self._ask(begin, end)
        return found

    def _ask(self, begin: datetime | None, end: datetime) -> list[Record]:
        import sqlalchemy as sa

        names = self._asked
        schema, _, table = self.connection.table.rpartition(".")
        source = sa.table(table, *(sa.column(it) for it in names), schema=schema or None)
        called = next(name for name in names if name.lower() == "calldate")
        asked = [
            sa.cast(source.c[name], sa.String) if name.lower() in _TIMES else source.c[name]
            for name in names
        ]
        query = sa.select(*asked).where(source.c[called] < self._bound(end))
        if begin is not None:
            query = query.where(source.c[called] >= self._bound(begin))
        with self._asking("cdr") as connection:
            rows = connection.execute(query.order_by(source.c[called])).fetchall()
        lowered = [name.lower() for name in names]
        return [self._record(lowered, row) for row in rows]

    def _bound(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC) if self._is_aware else moment

    @property
    def _is_aware(self) -> bool:
        return self._is_utc and self.engine.dialect.name == "postgresql"

    def _record(self, names: Sequence[str], row: Sequence[Any]) -> Record:
        raw = ["" if value is None else str(value) for value in row]
        values = dict(zip(names, raw, strict=True))
        if self._is_utc:
            for name in _TIMES:
                if values.get(name) and "+" not in values[name]:
                    values[name] += "+00:00"
        return Record(values, raw)

    def _read_talk(self, records: Sequence[Record]) -> None:
        """Channel events of these records' conversations, where there is a table of them."""
        if self.connection.cel_table is None or not records:
            return
        events = self._channel_events(sorted({it.get("linkedid") for it in records} - {""}))
        self.mapper.talk_of = talk_of(self.mapper, events)

    def _channel_events(self, linked: Sequence[str]) -> Mapping[str, list[ChannelEvent]]:
        import sqlalchemy as sa

        schema, _, table = str(self.connection.cel_table).rpartition(".")
        names = ("eventtype", "eventtime", "channame", "extra", "linkedid")
        source = sa.table(table, *(sa.column(it) for it in names), schema=schema or None)
        found: dict[str, list[ChannelEvent]] = {}
        for first in range(0, len(linked), 1_000):
            query = sa.select(
                source.c.linkedid,
                source.c.eventtype,
                sa.cast(source.c.eventtime, sa.String),
                source.c.channame,
                source.c.extra,
            ).where(source.c.linkedid.in_(linked[first : first + 1_000]))
            with self._asking("cel") as connection:
                rows = connection.execute(query).fetchall()
            for linked_id, kind, at, channel, extra in rows:
                event = event_of(str(kind), self.mapper.moment(str(at)), str(channel), str(extra))
                if event is not None:
                    found.setdefault(str(linked_id), []).append(event)
        return found

    @contextmanager
    def _asking(self, what: str) -> Iterator[sa.Connection]:
        """A connection for one question. Raises Refused or TryLater in the database's words."""
        import sqlalchemy as sa

        connection = self._connect(what)
        try:
            self.work.report.requests[what] += 1
            yield connection
        except sa.exc.SQLAlchemyError as error:
            raise self._explained(what, error) from None
        finally:
            connection.close()

    def _connect(self, what: str) -> sa.Connection:
        import sqlalchemy as sa

        for wait in (*WAITS, None):
            try:
                return self.engine.connect()
            except sa.exc.SQLAlchemyError as error:
                explained = self._explained(what, error)
                if wait is None or isinstance(explained, Refused):
                    raise explained from None
                self.work.report.waits["connection"] += 1
                self.work.clock.sleep(wait)
        raise AssertionError("the last wait is None")

    def _explained(self, what: str, error: Exception) -> Refused | TryLater:
        original = getattr(error, "orig", None) or error
        words = self.work.mask(" ".join(str(it) for it in original.args) or first_line(original))
        message = f"{self.connection.name}: Asterisk, {what}: {' '.join(words.split())[:300]}"
        code = original.args[0] if original.args else None
        state = str(getattr(original, "sqlstate", "") or "")
        lowered = words.lower()
        is_login = "password authentication failed" in lowered or "does not exist" in lowered
        if code in _REFUSALS or state.startswith(_REFUSAL_CLASSES) or is_login:
            return Refused(
                message, "Correct dsn or table, or give this login the right to read the table."
            )
        return TryLater(message, "See that the database runs and can be reached; then run again.")
