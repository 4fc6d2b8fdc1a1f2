"""Which calls a model is to evaluate, by the warehouse's own private build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orchestration.base.errors import WrongUse
from orchestration.base.lock import running_refresh
from orchestration.base.object_store import load_object_store
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.base.sql import literal
from orchestration.call_evaluations.transcript import Transcript
from orchestration.connectors.errors import TryLater
from orchestration.connectors.zone_files import all_files, zone_files
from orchestration.models.handover import reach_cluster
from orchestration.raw_zone.step import files_of_build

FOLDER = "telephony/call_evaluations"
# Begins the names of our files there.
WRITER = "evaluate_calls"
_PERSON_COLUMNS = (
    "call_id", "evaluated_at", "evaluator", "score", "needs_found", "presentation_made",
    "objections_handled", "next_step_agreed",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A call to evaluate, and what is known of its evaluation so far.

    The new version takes over `updated_at` of the one that it is to replace. `stays` is a person's
    evaluation that would lose its place by that alone, as it has no `updated_at` itself.
    """

    call_id: str
    segments: str
    updated_at: datetime | None = None
    stays: Mapping[str, Any] | None = None

    @cached_property
    def transcript(self) -> Transcript:
        """What would leave the machine."""
        return Transcript.of(self.segments)


@dataclass(frozen=True)
class Selection:
    """The calls to evaluate, the latest first, of all that wait; `passed` over, and why."""

    calls: Sequence[Candidate]
    waiting: int
    passed: Mapping[str, int]


Why = Callable[[Candidate], str]


def select(
    settings: Settings, raw_zone: str, evaluator: str, since: date | None, limit: int, refuse: Why
) -> Selection:
    """Answered calls with a transcript that this evaluator has not evaluated, `limit` at most.

    `refuse` says why a call is passed over, judged by its words; empty where it is not. Raises
    WrongUse where there is no build of this raw zone, or the zone has evaluations that the build
    has not read; TryLater while a refresh writes it.
    """
    _refuse(settings, raw_zone)
    try:
        with duckdb.connect(
            str(settings.build_file), read_only=True, config=settings.session()
        ) as session:
            session.execute("set TimeZone = 'UTC'")
            load_object_store(session, raw_zone)
            reach_cluster(session)
            passed = Counter(_judge(session, settings, raw_zone, evaluator, since))
            waiting = [row[0] for row in session.execute(_WAITING).fetchall()]
            calls: list[Candidate] = []
            refused: Counter[str] = Counter()
            for start in range(0, len(waiting), _CHUNK):
                for candidate in _candidates(session, waiting[start : start + _CHUNK]):
                    why = refuse(candidate) if len(calls) < limit else ""
                    if why:
                        refused[why] += 1
                    elif len(calls) < limit:
                        calls.append(candidate)
                if len(calls) == limit:
                    break
            return Selection(calls, len(waiting) - refused.total(), passed + refused)
    except duckdb.IOException as error:
        raise TryLater(
            f"The private build {settings.build_file} cannot be read now.",
            "Wait until the refresh, or whoever has the file open, has ended.",
        ) from error
    except duckdb.CatalogException as error:
        raise WrongUse(
            "The private build is of another version of the project.", "Run `voronka refresh`."
        ) from error


def _refuse(settings: Settings, raw_zone: str) -> None:
    if not settings.build_file.is_file():
        raise WrongUse(
            f"There is no build in {settings.build_dir}.", "Run `voronka refresh` first."
        )
    holder = running_refresh(settings)
    if holder is not None:
        raise TryLater(f"A refresh runs: {holder}.", "Wait until it ends.")
    built_from = Record.load(settings.record_file).raw_dir
    if built_from and built_from != raw_zone:
        raise WrongUse(
            f"The warehouse was built from {built_from}, not from {raw_zone}.",
            "Set VORONKA_RAW_DIR to the zone that was meant, or run `voronka refresh`.",
        )
    read = {path for path, *_ in files_of_build(settings).get(FOLDER.replace("/", "_"), ())}
    own = {file.path for file in zone_files(raw_zone, FOLDER, WRITER)}
    there = {path for path in all_files(raw_zone, FOLDER) if path not in own}
    unread = {path.removeprefix(f"{raw_zone}/") for path in there} - read
    if unread:
        raise WrongUse(
            f"The warehouse has not read {min(unread)} yet, so whose evaluations there are is not "
            "known.",
            "Run `voronka refresh` first.",
        )


def _judge(
    session: duckdb.DuckDBPyConnection,
    settings: Settings,
    raw_zone: str,
    evaluator: str,
    since: date | None,
) -> dict[str, int]:
    """Judge every transcript in a temporary table; how many are passed over, by the reason."""
    seconds = settings.variables.meaningful_call_seconds
    zone = ZoneInfo(str(settings.variables.reporting_timezone))
    earliest = datetime.combine(since, time(), zone).isoformat() if since else None
    _own_rows(session, raw_zone)
    session.execute(
        f"""
        create temp table judged as
        select
            transcripts.call_id,
            calls.started_at,
            case
                when calls.call_id is null then 'of a call that does not exist'
                when legs.call_id is null then 'of an internal call'
                when not legs.is_answered then 'of a call that nobody answered'
                when coalesce(
                    legs.talk_seconds,
                    date_diff('second', legs.answered_at, legs.ended_at),
                    0
                ) < {int(seconds)} then 'of a call shorter than {int(seconds)} s'
                when done.call_id is not null then 'evaluated already'
                when calls.started_at < {_instant(earliest)}
                    then 'before the day that was asked for'
            end as why_not
        from staging.stg_telephony__call_transcripts as transcripts
        left join staging.stg_telephony__calls as calls using (call_id)
        left join intermediate.int_calls__legs as legs using (call_id)
        left join (
            select call_id from staging.base_telephony__call_evaluations
            where evaluator = {literal(evaluator)} and len(reasons) = 0
            union
            select call_id from own_rows where evaluator = {literal(evaluator)}
        ) as done using (call_id)
        """
    )
    rows = session.execute(
        "select why_not, count(*) from judged where why_not is not null group by 1 order by 1"
    ).fetchall()
    return dict(rows)


_CHUNK = 200
_WAITING = "select call_id from judged where why_not is null order by started_at desc, call_id"


def _candidates(session: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> Iterator[Candidate]:
    """These calls in this order, with what is known of their evaluation."""
    person = ", ".join(f"evaluations.{name}" for name in _PERSON_COLUMNS)
    listed = ", ".join(literal(call_id) for call_id in ids)
    rows = session.execute(
        f"""
        select
            transcripts.call_id,
            transcripts.segments,
            coalesce(evaluations.updated_at, earlier.updated_at) as updated_at,
            evaluations.call_id is not null
            and coalesce(lower(evaluations.evaluator), 'human') = 'human' as is_persons,
            {person}
        from staging.stg_telephony__call_transcripts as transcripts
        left join staging.stg_telephony__call_evaluations as evaluations using (call_id)
        left join (
            select call_id, max(updated_at) as updated_at
            from staging.base_telephony__call_evaluations
            where call_id in ({listed}) and len(reasons) = 0
            group by 1
        ) as earlier using (call_id)
        where transcripts.call_id in ({listed})
        """
    ).fetchall()
    found = {row[0]: _candidate(row) for row in rows}
    yield from (found[call_id] for call_id in ids)


def _candidate(row: Sequence[Any]) -> Candidate:
    call_id, segments, updated_at, is_persons, *person = row
    if not is_persons:
        return Candidate(call_id, segments, updated_at)
    # A version without `updated_at` is the oldest: one that has it keeps its place by itself.
    stays = dict(zip(_PERSON_COLUMNS, person, strict=True)) if updated_at is None else None
    return Candidate(call_id, segments, None, stays)


def _own_rows(session: duckdb.DuckDBPyConnection, raw_zone: str) -> None:
    """Evaluations that this command has written, also those that no refresh has read."""
    files = [file.path for file in zone_files(raw_zone, FOLDER, WRITER)]
    if not files:
        session.execute("create temp table own_rows (call_id varchar, evaluator varchar)")
        return
    listed = ", ".join(literal(path) for path in files)
    session.execute(
        f"create temp table own_rows as select call_id, evaluator from read_parquet([{listed}])"
    )


def _instant(text: str | None) -> str:
    return f"timestamptz {literal(text)}" if text else "null"
