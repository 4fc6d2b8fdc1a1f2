"""Whether a refresh could run here: the environment and the raw zone, before anything is loaded."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from packaging.requirements import Requirement

from orchestration.base.cache import is_built_by_these_tools
from orchestration.base.errors import RefreshRefused, VoronkaError, WrongUse
from orchestration.base.findings import Finding
from orchestration.base.object_store import OBJECT_STORES, find_extension
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.base.text import counted
from orchestration.base.variables import Variables
from orchestration.cli.doctor_connections import examine_brought, examine_connections
from orchestration.cli.doctor_notifications import examine_notifications
from orchestration.metrics.glossary import read_metrics
from orchestration.metrics.needs import Needs, in_words
from orchestration.raw_zone.contract import Contract, load_contract
from orchestration.raw_zone.drift import drift_lines
from orchestration.raw_zone.guard import refuse_emptiness, refuse_full_disk
from orchestration.raw_zone.scan import scan
from orchestration.raw_zone.step import files_of_build, judged
from orchestration.raw_zone.views import ReadFiles, new_files
from orchestration.raw_zone.zone import RawFile, RawZone
from orchestration.spark.checks import examine_raw_file, examine_spark

PYTHON = ((3, 11), (3, 14))
NEEDED_BYTES = 1_000_000_000
_SHOWN = 20
# Metrics that are named of those with the same needs.
_NAMED = 4


def examine(settings: Settings) -> list[Finding]:
    """Everything that a refresh needs, in the order in which it needs it."""
    return [
        *_environment(settings),
        *examine_spark(settings),
        *examine_connections(settings),
        *_raw_zone(settings),
        *_postgres(settings),
        *examine_notifications(settings),
    ]


def _environment(settings: Settings) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if PYTHON[0] <= sys.version_info[:2] < PYTHON[1]:
        yield Finding("good", f"Python {version}")
    else:
        yield Finding("bad", f"Python {version} is not one of 3.11, 3.12, 3.13", "Use one of them.")
    yield _packages(settings.root / "requirements.lock")
    if settings.engine == "spark":
        yield _packages(settings.root / "requirements-spark.lock", "Run `make spark-env`.")
    yield _data_dir(settings.data)
    yield _variables(settings)
    yield from _unknown_settings()


def _packages(
    lock: Path, remedy: str = "Run `make clean install`, which installs the lock."
) -> Finding:
    if not lock.is_file():
        return Finding("note", f"There is no {lock.name} to compare the packages with")
    wrong = []
    for pin in locked_packages(lock.read_text(encoding="utf-8")):
        try:
            found = importlib.metadata.version(pin.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{pin.name}: {str(pin.specifier)[2:]} in the lock, none installed")
            continue
        if not pin.specifier.contains(found, prereleases=True):
            wrong.append(f"{pin.name}: {str(pin.specifier)[2:]} in the lock, {found} installed")
    if wrong:
        noun = "1 package differs" if len(wrong) == 1 else f"{len(wrong)} packages differ"
        return Finding(
            "note",
            f"{noun} from {lock.name}, with which the project is tested",
            remedy,
            _shortened(wrong),
        )
    return Finding("good", f"The packages are those of {lock.name}")


def locked_packages(lock: str, environment: Mapping[str, str] | None = None) -> list[Requirement]:
    """The packages of a lock file that belong into an environment, by their markers.

    `environment` overrides the variables that markers read; without it, it is the present one.
    """
    lines = (line.removesuffix("\\").strip() for line in lock.splitlines())
    found = [Requirement(line) for line in lines if line and line[0] not in "#-"]
    return [pin for pin in found if pin.marker is None or pin.marker.evaluate(environment)]


def _data_dir(path: Path) -> Finding:
    present = path
    while not present.exists():
        present = present.parent
    if not os.access(present, os.W_OK):
        return Finding(
            "bad",
            f"The data directory {path} cannot be written",
            "Set VORONKA_DATA_DIR to a directory that you may write to.",
        )
    free = shutil.disk_usage(present).free
    if free < NEEDED_BYTES:
        return Finding(
            "note",
            f"The data directory {path} has {free / 1e6:,.0f} MB left",
            "A refresh needs about twenty times the size of the raw files.",
        )
    return Finding("good", f"The data directory {path} is writable, {free / 1e9:,.0f} GB free")


def _unknown_settings() -> Iterator[Finding]:
    prefix = str(Settings.model_config["env_prefix"])
    known = {prefix + name.upper() for name in Settings.model_fields}
    for name in sorted(name for name in os.environ if name.startswith(prefix)):
        if name not in known:
            yield Finding("note", f"{name} is no setting and is ignored", "README.md lists them.")


def _variables(settings: Settings) -> Finding:
    """The variables as they are read; those that are not the project's defaults are marked."""
    try:
        values = settings.variables.as_json()
    except VoronkaError as error:
        return Finding("bad", error.message, error.remedy)
    defaults = Variables().as_json()
    lines = [
        f"{name} = {shown if shown is not None else 'not set'}"
        + ("" if shown == defaults[name] else f" (default {defaults[name] or 'not set'})")
        for name, shown in values.items()
    ]
    return Finding("good", "Every variable is known and has a value that can be", details=lines)


def _raw_zone(settings: Settings) -> Iterator[Finding]:
    where = {"set": "set by you", "demo": "the demo company"}.get(
        settings.raw_origin, settings.raw_origin
    )
    try:
        contract = load_contract(settings.root)
        if settings.raw_zone.startswith(OBJECT_STORES):
            yield _object_store()
        zone = scan(settings.raw_zone, contract, settings.max_file_rows)
    except VoronkaError as error:
        yield Finding("bad", error.message, error.remedy, error.details)
        return
    try:
        is_rebuild = not is_built_by_these_tools(settings)
    except WrongUse:
        # A variable is wrong, which was said before.
        is_rebuild = True
    read: ReadFiles = {}
    # Where the cluster is silent, that was said before.
    with suppress(VoronkaError):
        read = {} if is_rebuild else files_of_build(settings)
    new = [file for table in zone.tables for file in new_files(table, read)]
    refusals = _refusals(zone, contract, new, settings, is_rebuild)
    yield Finding(
        "good" if zone.files else "note",
        f"Raw zone {zone.raw_dir} ({where}): {len(zone.files):,} files, {zone.rows:,} rows in "
        f"{len(contract.tables) - len(zone.missing_tables)} of {len(contract.tables)} tables",
        "" if zone.files or refusals else "An empty zone makes empty marts.",
    )
    if zone.files:
        yield from _read_by_spark(settings, zone)
        yield _figures(settings, zone)
    try:
        zone = judged(zone, new, settings)
    except VoronkaError as error:
        yield Finding("bad", f"What the raw files hold was not read: {error.message}", error.remedy)
    if zone.problems:
        yield Finding(
            "bad",
            f"{counted(len(zone.problems), 'problem')} that a refresh would stop at",
            "Export these files again, or move them out of the raw zone.",
            _shortened([str(problem) for problem in zone.problems]),
        )
    yield from refusals
    yield from _drift(zone, contract)
    if not zone.problems and zone.files:
        yield from _sample(zone, contract)
        yield from _money(zone, settings)
        yield from examine_brought(settings, zone)


def _read_by_spark(settings: Settings, zone: RawZone) -> Iterator[Finding]:
    """Whether the cluster reads one of the zone's files, where a cluster builds."""
    if settings.engine == "spark":
        from orchestration.raw_zone.spark_views import address

        yield from examine_raw_file(settings, address(zone.raw_dir, zone.files[0].path))


def _figures(settings: Settings, zone: RawZone) -> Finding:
    """Which tables each group of figures needs, and which figures are unknown without them."""
    empty = [table.contract.full_name for table in zone.tables if not table.rows]
    needs = Needs(read_metrics(settings.root), empty)
    known: list[str] = []
    unknown: list[str] = []
    count = 0
    for group in needs.groups():
        more = f" and {len(group.names) - _NAMED} more" if len(group.names) > _NAMED else ""
        besides = f" (by manager also {in_words(group.by_manager)})" if group.by_manager else ""
        line = f"{', '.join(group.names[:_NAMED])}{more}: {in_words(group.clauses)}{besides}"
        if needs.absence(group.names[0]).missing:
            unknown.append(f"– {line}")
            count += len(group.names)
        else:
            known.append(f"✓ {line}")
    text = f"No rows, taken as empty: {', '.join(empty)}" if empty else "Every table has rows"
    if not count:
        return Finding("good", f"{text}; every figure can be known", details=known)
    return Finding(
        "note",
        f"{text}; {count} figures cannot be known (–)",
        "They are shown as not loaded until the tables named with them have rows.",
        unknown + known,
    )


def _refusals(
    zone: RawZone, contract: Contract, new: list[RawFile], settings: Settings, is_rebuild: bool
) -> list[Finding]:
    """What else a refresh would refuse before it builds."""
    try:
        refuse_emptiness(zone, contract, settings, Record())
        refuse_full_disk(new, settings, is_rebuild)
    except RefreshRefused as error:
        return [Finding("bad", error.message, error.remedy)]
    return []


def _postgres(settings: Settings) -> Iterator[Finding]:
    if settings.postgres_url is None:
        return
    from orchestration.postgres.inspect import inspect

    found, troubles = inspect(settings)
    if found and not troubles:
        yield Finding("good", f"{found}: its rights are enough")
    for trouble in troubles:
        yield Finding("bad", trouble.text, trouble.remedy, list(trouble.details))


def _object_store() -> Finding:
    found = find_extension("httpfs")
    if found:
        return Finding("good", f"DuckDB's httpfs is installed: {found.name}")
    return Finding(
        "bad",
        "The raw zone is in an object store, and DuckDB's httpfs is not installed",
        "uv pip install duckdb-extension-httpfs==1.5.5",
    )


def _drift(zone: RawZone, contract: Contract) -> Iterator[Finding]:
    lines = drift_lines(zone.drift, contract)
    if lines:
        yield Finding(
            "note",
            "Unknown to the contract, and ignored",
            details=_shortened(lines),
        )


def _sample(zone: RawZone, contract: Contract) -> Iterator[Finding]:
    from orchestration.raw_zone.sample import empty_required

    lines = empty_required(zone)
    if lines:
        yield Finding(
            "note",
            "Required values are missing in a sample; a refresh quarantines these rows",
            details=lines[:_SHOWN],
        )
    else:
        yield Finding("good", "Every required value is there in a sample of each table")


def _money(zone: RawZone, settings: Settings) -> Iterator[Finding]:
    """Money that no sum would hold. A wrong variable is found before."""
    from orchestration.raw_zone.sample import currencies_without_rates

    with suppress(WrongUse):
        base_currency = settings.variables.base_currency
        lines = currencies_without_rates(zone, base_currency)
        if lines:
            yield Finding(
                "note",
                f"Money in a sample has no rate to {base_currency}; no sum will hold it",
                "Set the variable base_currency to the currency of the amounts, or add rates to "
                "finance.exchange_rates. Where more than half has none, a refresh stops.",
                lines,
            )


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"and {more:,} more"] if more > 0 else lines
