"""What a refresh found, step by step: the steps write it, the publication and people read it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.base.errors import (
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    LESS_MEMORY,
    BuildFailed,
    VoronkaError,
    disk_full,
    first_line,
    is_disk_full,
    remedy_of,
)
from orchestration.base.files import (
    overwrite,
    read_json,
    read_overwritten,
    reserve,
    write_json,
)
from orchestration.base.interrupt import is_interruption

PASS, WARN, FAIL, ERROR = "pass", "warn", "fail", "error"
# What stops a refresh unless its caller accepts it (`--allow-empty`, `--accept-shrink` …).
EMPTY, SHRINK, UNPRICED, QUARANTINE = "empty", "shrink", "unpriced", "quarantine"
ACCEPTABLE = (EMPTY, SHRINK, UNPRICED, QUARANTINE)
# In this order; each needs the ones before it.
STEPS = ("raw zone", "models", "outlook", "metrics", "expectations", "publication")
# For the short form of a record, where there is no space for the whole one.
_RESERVED_BYTES = 16_384
_LONGEST_TEXT = 300
_MOST_DETAILS = 10


@dataclass(frozen=True)
class CheckOutcome:
    """One check of a refresh.

    `kind` is dbt, metricflow, gx or voronka, `severity` warn or error, `status` pass, warn, fail
    or error: the last says that the check itself broke, which is never a pass and never bad data.
    `failing_rows` is None where the check does not count rows.
    """

    name: str
    kind: str
    asset: str
    severity: str
    status: str
    failing_rows: int | None = None
    message: str = ""

    @property
    def stops_publication(self) -> bool:
        """Whether nothing may be published after this outcome."""
        return self.severity == "error" and self.status in (FAIL, ERROR)


@dataclass(frozen=True)
class ModelOutcome:
    """One dbt model of a refresh: its rows (None for a view) and how long it took.

    `status` is ok, unchanged (an incremental model whose inputs are the same), error or skipped.
    """

    schema: str
    name: str
    status: str
    rows: int | None
    seconds: float
    message: str = ""


_FAULT = "This is a fault of the program; data/build/refresh.log has its trace."


@dataclass
class Failure:
    """Why a refresh ended early, for people: see VoronkaError."""

    message: str
    remedy: str
    details: list[str]
    exit_code: int

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that an exception means."""
        if is_interruption(error):
            # Ctrl-C, SIGTERM, a run that is terminated in Dagster.
            return cls(
                "The refresh was stopped.",
                "What was published stays as it was; `voronka refresh` goes on from there.",
                [],
                EXIT_INTERRUPTED,
            )
        if isinstance(error, VoronkaError):
            # What a model's failure says comes from the engine: its cause may be the machine.
            found = remedy_of(error.details) if isinstance(error, BuildFailed) else None
            return cls(error.message, found or error.remedy, error.details, error.exit_code)
        if is_disk_full(error):
            full = disk_full(error)
            return cls(full.message, full.remedy, full.details, full.exit_code)
        remedy = remedy_of([str(error)])
        if remedy:
            return cls(first_line(error), remedy, [], EXIT_STOPPED)
        return cls(
            f"{type(error).__name__}: {error}",
            _FAULT,
            [],
            EXIT_STOPPED,
        )

    @property
    def is_fault(self) -> bool:
        """Whether it is one of the program: then `message` has words that are not ours."""
        return self.remedy == _FAULT

    @classmethod
    def of_killed(cls, who: str, where: str) -> Failure:
        """The failure of a refresh that could not say anything itself."""
        return cls(
            f"The refresh was killed {where}: {who}.",
            f"If the system did it for want of memory: {LESS_MEMORY[0].lower()}{LESS_MEMORY[1:]}",
            [],
            EXIT_STOPPED,
        )

    @classmethod
    def of_steps(cls, finished: list[str]) -> Failure:
        """Of a run that came to its end, but had not all steps."""
        return cls(
            f"Only some of its steps were run: {', '.join(finished) or 'none'}.",
            "Run the whole job: `voronka refresh`.",
            [],
            EXIT_STOPPED,
        )


@dataclass
class TargetOutcome:
    """What became of the publication in a database beside the file.

    `failure` is None where it has it; `notes` are for people and stop nothing.
    """

    name: str
    address: str = ""
    publication_id: str | None = None
    tables: int = 0
    notes: list[str] = field(default_factory=list)
    failure: Failure | None = None

    @classmethod
    def of(cls, state: dict[str, Any]) -> TargetOutcome:
        """From what `asdict` made of one; what it does not know is left out."""
        known = {item.name for item in fields(cls)}
        outcome = cls(**{name: value for name, value in state.items() if name in known})
        outcome.failure = Failure(**state["failure"]) if state.get("failure") else None
        return outcome


@dataclass
class Record:
    """The state of one refresh; durations in seconds, times as text in UTC."""

    run_id: str = ""
    started_at: str = ""
    # When this was written last.
    saved_at: str = ""
    raw_dir: str = ""
    raw_origin: str = ""
    is_demo: bool = False
    raw_tables: int = 0
    raw_files: int = 0
    new_files: int = 0
    raw_rows: int = 0
    missing_tables: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    # What its caller lets pass, of ACCEPTABLE.
    accepted: list[str] = field(default_factory=list)
    as_of_date: str | None = None
    dbt_warnings: list[str] = field(default_factory=list)
    models: list[ModelOutcome] = field(default_factory=list)
    checks: list[CheckOutcome] = field(default_factory=list)
    finished_steps: list[str] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    publication_id: str | None = None
    # Nothing that is published has changed: the set of an earlier refresh stays.
    is_publication_unchanged: bool = False
    # Facts of which the published file has views alone: their rows, and where they lie.
    facts_on_cluster: list[str] = field(default_factory=list)
    targets: list[TargetOutcome] = field(default_factory=list)
    # The page beside the publication, or why there is none.
    dashboard: str = ""
    dashboard_failure: str = ""
    failure: Failure | None = None
    # Its process was killed; whoever took the lock after it wrote this down.
    is_killed: bool = False
    # How the refresh before this one was killed, where it was.
    killed_before: str = ""
    # The disk was full: models and checks are not here.
    is_abridged: bool = False

    @property
    def is_published(self) -> bool:
        """Whether the refresh came to its publication, or found that it stays."""
        return STEPS[-1] in self.finished_steps

    @property
    def failed_targets(self) -> list[TargetOutcome]:
        """Databases that lack what the file has."""
        return [target for target in self.targets if target.failure is not None]

    @property
    def blocking(self) -> list[CheckOutcome]:
        """Checks that forbid a publication."""
        return [check for check in self.checks if check.stops_publication]

    def count(self, *statuses: str) -> int:
        """How many checks ended so."""
        return sum(check.status in statuses for check in self.checks)

    def merge_checks(self, checks: list[CheckOutcome]) -> None:
        """Add outcomes; they replace earlier ones of the same checks."""
        new = {(check.kind, check.asset, check.name) for check in checks}
        other = [c for c in self.checks if (c.kind, c.asset, c.name) not in new]
        self.checks = [*other, *checks]

    def merge_models(self, models: list[ModelOutcome]) -> None:
        """Add outcomes; they replace earlier ones of the same models."""
        new = {(model.schema, model.name) for model in models}
        self.models = [m for m in self.models if (m.schema, m.name) not in new] + models

    @classmethod
    def begin(cls, path: Path, run_id: str) -> Record:
        """The saved record of a run that begins; a second time, the one that it has."""
        before = cls.load(path)
        if before.run_id == run_id:
            return before
        killed = before.failure.message if before.is_killed and before.failure else ""
        record = cls(run_id=run_id, started_at=utc_now(), killed_before=killed)
        record.save(path)
        return record

    def save(self, path: Path) -> None:
        """Write the record.

        Raises DiskFull where there is no space for it; what matters of it is then written over a
        file that was reserved for this.
        """
        self.saved_at = utc_now()
        spare = _spare(path)
        try:
            reserve(spare, _RESERVED_BYTES)
            write_json(path, asdict(self))
            if read_overwritten(spare):
                overwrite(spare, {})
        except OSError as error:
            if not is_disk_full(error):
                raise
            full = disk_full(error, path.parent)
            self.failure = self.failure or Failure.of(full)
            with suppress(OSError):
                overwrite(spare, self._abridged())
            raise full from error

    def _abridged(self) -> dict[str, Any]:
        """What says how the refresh ended; short enough for the reserved file."""
        short = replace(self, is_abridged=True, models=[], checks=[], drift=[], targets=[])
        if self.failure is not None:
            short.failure = replace(
                self.failure,
                message=self.failure.message[:_LONGEST_TEXT],
                details=[it[:_LONGEST_TEXT] for it in self.failure.details[:_MOST_DETAILS]],
            )
        return asdict(short)

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record; a new one where there is none."""
        # Of two of one second, the short form: a whole record clears it.
        state = max(
            read_overwritten(_spare(path)), read_json(path), key=lambda it: it.get("saved_at", "")
        )
        known = {item.name for item in fields(cls)}
        # Records written before this field had this name.
        state.setdefault("is_publication_unchanged", state.get("is_publication_kept", False))
        record = cls(**{name: value for name, value in state.items() if name in known})
        record.models = [ModelOutcome(**model) for model in state.get("models", [])]
        record.checks = [CheckOutcome(**check) for check in state.get("checks", [])]
        record.targets = [TargetOutcome.of(target) for target in state.get("targets", [])]
        record.failure = Failure(**state["failure"]) if state.get("failure") else None
        return record


@contextmanager
def step(path: Path, name: str) -> Iterator[Record]:
    """One step of a refresh: loads the record, times the step, saves what it and its errors say.

    The step and those after it count as not done from here on: their input changes.
    """
    record = Record.load(path)
    record.failure = None
    earlier = () if record.is_abridged else STEPS[: STEPS.index(name)]
    record.is_abridged = False
    record.finished_steps = [done for done in record.finished_steps if done in earlier]
    start = time.monotonic()
    try:
        yield record
    except BaseException as error:
        record.failure = Failure.of(error)
        raise
    else:
        record.finished_steps.append(name)
    finally:
        record.phases[name] = round(time.monotonic() - start, 2)
        record.save(path)


def _spare(path: Path) -> Path:
    """The file reserved for a record that has no space."""
    return path.with_suffix(".reserve")


def utc_now() -> str:
    """The time for people's eyes; nothing in the warehouse depends on it."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()
