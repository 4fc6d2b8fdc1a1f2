"""dbt by hand: on the private build, while no refresh writes it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestration.base.errors import WrongUse
from orchestration.base.files import read_json
from orchestration.base.lock import only_refresh
from orchestration.base.settings import SPARK, Settings

# These open no database.
_FREE = {"parse", "ls", "list", "deps", "clean", "--version", "--help"}
# These write tables.
_BUILDING = {"build", "run", "seed", "snapshot", "clone", "retry", "run-operation"}
# These know no variables.
_PLAIN = {"clean", "--version", "--help"}
_SHELL = 128


def run_dbt(settings: Settings, arguments: Sequence[str]) -> int:
    """Run dbt with its own output and return its exit code, a shell's after a signal.

    A command that opens the build holds the refresh's lock meanwhile: DuckDB lets one process
    write, and dbt ends in a trace where that is another one. Raises WrongUse where a refresh runs,
    before the first one, and where dbt would write with DuckDB into what Spark has built.
    """
    command = arguments[0]
    if command in _FREE:
        return _run(settings, arguments)
    if not settings.raw_zone_file.is_file():
        raise WrongUse(
            f"There is no build in {settings.build_dir}.", "Run `voronka refresh` first."
        )
    if command in _BUILDING and SPARK in (
        settings.engine,
        read_json(settings.tools_file).get("engine"),
    ):
        raise WrongUse(
            f"`voronka dbt {command}` builds with DuckDB, and the build here is of Spark.",
            "Refresh instead; or unset VORONKA_ENGINE, refresh once, and build with DuckDB.",
        )
    with only_refresh(settings, f"dbt {command}"):
        return _run(settings, arguments)


def _run(settings: Settings, arguments: Sequence[str]) -> int:
    variables = []
    if settings.dbt_overrides and "--vars" not in arguments and arguments[0] not in _PLAIN:
        variables = ["--vars", json.dumps(settings.dbt_overrides, sort_keys=True)]
    environment = {
        "DBT_PROJECT_DIR": str(settings.root),
        "DBT_PROFILES_DIR": str(settings.root),
        **settings.dbt_environment(),
    }
    program = Path(sys.executable).with_name("dbt")
    process = subprocess.Popen([program, *arguments, *variables], env=environment)
    # dbt hears Ctrl-C itself and comes to its own end; the lock is held until then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    code = process.wait()
    return code if code >= 0 else _SHELL - code
