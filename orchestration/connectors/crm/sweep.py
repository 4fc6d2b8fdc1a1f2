"""The sweep: what the raw zone holds alive and a full list does not return is gone (1.5).

Every CRM hides rows that the token's owner may not see: lost rights look like mass deletion. So a
sweep that would bury too much buries nothing, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from orchestration.connectors.connector import Row, Window, Work
from orchestration.connectors.crm.vanished import bare
from orchestration.connectors.errors import TryLater

# So few may vanish whatever their share is.
FEW = 20


def is_too_much(vanished: int, living: int, max_share: float) -> bool:
    """Whether so many vanished rows look like lost rights."""
    return vanished > FEW and vanished > max_share * living


def sweep(
    work: Work,
    at: datetime,
    max_share: float,
    is_same_user: bool,
    tables: Mapping[str, Callable[[], set[str]]],
    has_time: bool = True,
    still_there: Mapping[str, Callable[[Sequence[str]], set[str]]] | None = None,
) -> Iterator[Window]:
    """Tombstones of what vanished. `tables` list the keys that there still are.

    `still_there` asks for keys once more, by table: pages by number move up while others are
    deleted, and a list then lacks rows that exist.

    `has_time`: whether the system's rows have a time of change, and their tombstones with them.
    """
    done = {"swept_at": at.isoformat()}
    if not is_same_user:
        work.report.warn("No sweep: the token acts as another user than before.")
        yield Window("sweep", state=done)
        return
    rows: dict[str, list[Row]] = {}
    stamp = work.stamps.next()
    for table, listed in tables.items():
        key = work.own.keys(table)[0]
        living = {
            row[0] for row in work.own.select(table, [key], "is_deleted is distinct from 'true'")
        }
        try:
            vanished = sorted(living - listed())
        except TryLater as error:
            work.report.warn(f"No sweep: a list could not be read whole. {error.message}")
            return
        if is_too_much(len(vanished), len(living), max_share):
            work.report.warn(
                f"No sweep: {len(vanished)} of {len(living)} rows of {table} are not listed any "
                "more. That looks like lost rights; if they were deleted, raise "
                "max_vanished_share for one run."
            )
            yield Window("sweep", state=done)
            return
        if vanished and still_there:
            try:
                there = still_there[table](vanished)
            except TryLater as error:
                work.report.warn(f"No sweep: a list could not be read whole. {error.message}")
                return
            vanished = [it for it in vanished if it not in there]
        rows[table] = [
            {**bare(key, it, at if has_time else None), "_loaded_at": stamp} for it in vanished
        ]
    yield Window("sweep", rows, done)
