"""What both ways of reading call records share: the zone, the directory, the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from orchestration.base.findings import Finding
from orchestration.connectors.connector import ALWAYS, Connector, Row, Window
from orchestration.connectors.errors import Refused
from orchestration.connectors.kinds.asterisk.keys import AsteriskConnection
from orchestration.connectors.kinds.asterisk.mapping import Mapper, Record
from orchestration.connectors.telephony import directory_rows, drift_seconds

A = TypeVar("A", bound=AsteriskConnection)
CALLS = "telephony.calls"
EXTENSIONS = "telephony.extensions"
# More than this is another zone, not a slow clock.
_ZONE_TOLERANCE = 300
_QUARTER = 900
_SHOWN = 10


class Asterisk(Connector[A]):
    """Call records of one exchange."""

    page: ClassVar[str] = "asterisk.md"
    source: ClassVar[str] = "telephony"
    tables: ClassVar[Sequence[str]] = (CALLS, EXTENSIONS)

    @classmethod
    def key_spaces(cls, connection: Any) -> Iterator[tuple[str, str, str]]:
        """Calls by the prefix, extensions by theirs."""
        yield CALLS, connection.prefix, "prefix"
        yield EXTENSIONS, connection.extension_prefix, "extension_prefix"

    @cached_property
    def mapper(self) -> Mapper:
        """The rules that make legs of records."""
        return Mapper(self.connection)

    def directory(self) -> Window:
        """Who sits where, as the keys say."""
        keys = self.connection
        if not keys.extensions:
            self.work.report.warn(
                "extensions is not set: calls belong to nobody. Write extension: manager's id."
            )
        rows = directory_rows(
            self.work.own, keys.extensions, keys.extension_prefix, self.work.started_at
        )
        return Window("extensions", {EXTENSIONS: rows}, known_since=ALWAYS)

    def check_zone(self, records: Sequence[Record]) -> None:
        """Raise Refused where the records' own clock says that `timezone` is another one.

        The whole part of a uniqueid is the Unix second in which the channel began.
        """
        pairs = self.mapper.clock_pairs(records)
        drift = drift_seconds(pairs)
        if drift is None or abs(drift) <= _ZONE_TOLERANCE:
            return
        moment = pairs[0][0]
        offset = (moment.utcoffset() or timedelta()) + timedelta(
            seconds=round(drift / _QUARTER) * _QUARTER
        )
        true = datetime.now(timezone(offset)).strftime("UTC%z")
        raise Refused(
            f"{self.connection.name}: Asterisk: the records' times are in {true} by their "
            f"uniqueid, and timezone is {self.connection.timezone}.",
            f"Write the zone that the exchange writes its times in: timezone: … ({true}).",
        )

    def finish(self, rows: Sequence[Row]) -> list[Row]:
        """Rows with their load instant; unknown extensions and peers are counted."""
        stamp = self.work.started_at
        prefix = self.connection.extension_prefix
        known = {prefix + it for it in self.connection.extensions}
        for row in rows:
            if row["extension"] and row["extension"] not in known:
                self.work.report.counted[f"legs of {row['extension']}, which nobody holds"] += 1
        return [{**row, "_loaded_at": stamp} for row in rows]

    def findings(self, records: Sequence[Record]) -> Iterator[Finding]:
        """What a check says of some records."""
        if not records:
            yield Finding("note", "There are no records to look at")
            return
        self.check_zone(records)
        yield Finding("good", f"Times are in {self.connection.timezone}, as the uniqueids say")
        rows = [row for _, row in self.mapper.rows(records)]
        ways = Counter(str(row["direction"]) for row in rows)
        ends = Counter(str(row["disposition"]) for row in rows)
        yield Finding(
            "good",
            f"{len(records)} records: {_counted(ways)}; {_counted(ends)}",
            details=[_shown(row) for row in rows[:_SHOWN]],
        )
        yield from self._people(rows)
        if self.mapper.strangers:
            yield Finding(
                "note",
                "Peers that are neither trunks nor extensions, taken for trunks",
                "Add them to trunks, or widen extension_pattern.",
                sorted(self.mapper.strangers)[:_SHOWN],
            )
        missed = [it for it in rows if it["direction"] == "in" and it["disposition"] != "answered"]
        if not missed:
            yield Finding(
                "note",
                "No unanswered inbound call",
                "Set unanswered=yes in cdr.conf: missed calls are not written otherwise.",
            )
        yield from self._doubles(records)

    def _people(self, rows: Sequence[Row]) -> Iterator[Finding]:
        prefix = self.connection.extension_prefix
        known = {prefix + it for it in self.connection.extensions}
        seen = Counter(str(row["extension"]) for row in rows if row["extension"])
        strange = sorted(seen.keys() - known)
        if strange:
            yield Finding(
                "note",
                f"{len(strange)} extensions belong to nobody",
                "Write them under extensions: with the manager's id.",
                [f"{it}: {seen[it]} legs" for it in strange[:_SHOWN]],
            )
        elif seen:
            yield Finding("good", f"All {len(seen)} extensions have a manager")

    def _doubles(self, records: Sequence[Record]) -> Iterator[Finding]:
        seen = Counter(
            tuple(value for name, value in sorted(it.values.items()) if name != "sequence")
            for it in records
        )
        twice = sum(count - 1 for count in seen.values() if count > 1)
        if twice:
            yield Finding(
                "note",
                f"{twice} records are there twice, apart from their sequence",
                "Two contexts may write into one table: look at cdr_adaptive_odbc.conf.",
            )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _shown(row: Row) -> str:
    return (
        f"{row['started_at']} {row['direction']} {row['from_number']} → {row['to_number']}, "
        f"{row['extension'] or 'no extension'}: {row['disposition']}, {row['talk_seconds']} s"
    )
