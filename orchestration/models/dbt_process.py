"""A dbt that is already there: imported and with its manifest, before the job needs it.

Starting dbt takes four seconds of imports; here they run while Dagster is imported. The process
reads one JSON command a line from its input and writes dbt's events, one JSON a line, in the
form of dbt's own JSON log. It ends with its input, so no orphan holds the build file. What it
expects to be asked it prepares up to the first look at the database.

    {"command": "parse"}                    then {"voronka": "parsed", "error": null or text}
    {"command": "build", "arguments": […]}  then dbt's events and the end
"""

from __future__ import annotations

import gc
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TextIO

from orchestration.models import dbt_context, dbt_keep, dbt_speed

# Those that dbt makes of results that are not good, and of snapshots.
_RESULTS = {"LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"}
_QUIET = ["--log-level", "none", "--log-level-file", "none", "--no-use-colors"]


class Runner:
    """dbt in this process. `arguments` are those of every command."""

    def __init__(
        self,
        arguments: list[str],
        output: TextIO,
        kept: dbt_speed.KeptCode,
        templates: dbt_context.KeptTemplates,
        manifest: dbt_speed.KeptManifest,
        tables: dbt_keep.BuiltTables,
    ) -> None:
        dbt_speed.before_import()
        from dbt.cli.main import dbtRunner

        dbt_speed.shorten_events(self._on_good_result)
        dbt_speed.share_tables_and_types()
        dbt_speed.find_relations_by_name()
        dbt_speed.ask_tests_directly()
        tables.install()
        dbt_speed.name_no_sources()
        dbt_speed.write_only_bad_code()
        dbt_speed.draw_no_graphs()
        kept.install()
        templates.install()
        self._runner_class = dbtRunner
        self._arguments = [*_QUIET, *arguments]
        self._output = output
        self._kept = kept
        self._templates = templates
        self._tables = tables
        self._kept_manifest = manifest
        self._manifest: Any = None
        self._is_heard: Callable[[], bool] = lambda: True

    def load_manifest(self, file: Path) -> bool:
        """Take the manifest that the last parse saved, if it reads; whether it does."""
        manifest = self._kept_manifest.load()
        if manifest is None:
            from dbt.contracts.graph.manifest import Manifest

            try:
                manifest = Manifest.from_msgpack(file.read_bytes())
            except Exception:  # noqa: BLE001  any damage only costs the time of a parse
                return False
            self._kept_manifest.save(manifest)
        manifest.flat_graph = dbt_speed.LazyGraph(manifest)
        self._manifest = manifest
        dbt_speed.trust_the_parsed_project()
        return True

    def parse(self) -> None:
        """Read the project; writes manifest.json."""
        result = self._runner_class().invoke(["parse", *self._arguments])
        if not result.success:
            # What dbt remembers of an older version of the project can make it stumble.
            result = self._runner_class().invoke(["parse", "--no-partial-parse", *self._arguments])
        error = None
        if result.success:
            self._manifest = result.result
            self._kept_manifest.save(self._manifest)
        else:
            error = str(result.exception or "dbt could not parse the project")
        self._write({"voronka": "parsed", "error": error})

    def build(self, arguments: list[str]) -> int:
        """Run `dbt` with these arguments and the manifest; the exit code of dbt."""
        self._kept.read_raw_zone()
        return self._run(arguments)

    def build_when_told(
        self, arguments: list[str], next_command: Callable[[], dict[str, Any]]
    ) -> tuple[int, dict[str, Any] | None]:
        """Prepare a build, wait for the command, run it: dbt's exit code.

        If something else is asked, nothing was run and the command is returned.
        """
        asked: list[dict[str, Any]] = []
        is_expected = False

        def wait() -> None:
            nonlocal is_expected
            if not asked:
                asked.append(next_command())
                is_expected = asked[0] == {"command": "build", "arguments": arguments}
                if is_expected:
                    self._kept.read_raw_zone()
            if not is_expected:
                raise RuntimeError("something else was asked")

        forget = dbt_speed.wait_before_database(wait)
        if forget is None:
            return 0, next_command()
        self._is_heard = lambda: is_expected
        try:
            code = self._run(arguments)
        finally:
            forget()
            self._is_heard = lambda: True
        if not asked:
            # It did not come as far; once more, for all to hear.
            return 0, next_command()
        return code, None if is_expected else asked[0]

    def _run(self, arguments: list[str]) -> int:
        # After the last parse: what parsing asks stays as it is.
        dbt_context.make_macros_when_called()
        dbt_context.make_context_when_read()
        runner = self._runner_class(manifest=self._manifest, callbacks=[self._on_event])
        result = runner.invoke([*arguments, *self._arguments])
        if result.exception is not None:
            self._write(_error_event(str(result.exception)))
        _close_database()
        self._kept.save()
        self._templates.save()
        self._tables.save()
        return 0 if result.success else 1

    def _on_event(self, message: Any) -> None:
        name, level = message.info.name, message.info.level
        if name not in _RESULTS and level not in ("warn", "error"):
            return
        from dbt_common.events.functions import msg_to_dict

        self._write(msg_to_dict(message))

    def _on_good_result(self, name: str, values: Mapping[str, Any]) -> None:
        """The event that dbt would have made of a node's good end."""
        from dbt_common.invocation import get_invocation_id

        data = {key: value for key, value in values.items() if value is not None}
        text = data.get("description") or data["node_info"]["node_name"]
        info = {"name": name, "level": "info", "msg": text, "invocation_id": get_invocation_id()}
        if name == "LogModelResult":
            data.update(_measure(data["node_info"]))
        self._write({"info": info, "data": data})

    def _write(self, event: dict[str, Any]) -> None:
        if not self._is_heard():
            return
        self._output.write(json.dumps(event, default=str) + "\n")
        self._output.flush()


def _measure(node: dict[str, Any]) -> dict[str, Any]:
    """Rows of a table that was just built, and the as-of date once it is known."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    relation = node.get("node_relation", {})
    environment = DuckDBConnectionManager._ENV
    connection = getattr(environment, "conn", None)
    if connection is None or node.get("materialized") not in ("table", "incremental"):
        return {}
    found: dict[str, Any] = {}
    name = f'"{relation.get("schema")}"."{relation.get("alias")}"'
    with connection.cursor() as cursor:
        (found["rows"],) = cursor.execute(f"select count(*) from {name}").fetchone()
        if relation.get("alias") == "int_refresh__as_of":
            (as_of,) = cursor.execute(f"select max(as_of_date) from {name}").fetchone()
            found["as_of_date"] = as_of and as_of.isoformat()
    return found


def _close_database() -> None:
    """Write the build file out, so that others can read it without its log."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


def _error_event(message: str) -> dict[str, Any]:
    return {"info": {"name": "MainEncounteredError", "level": "error", "msg": message}, "data": {}}


def main() -> None:
    """Serve commands until the input ends; `argv[1]` is a JSON of the process's settings."""
    settings = json.loads(sys.argv[1])
    # A short life among objects that stay: collecting them costs more than it frees.
    gc.disable()
    # Models and macros may print; only events may reach the parent.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    commands: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(commands,), daemon=True).start()
    files = Path(settings["kept_code"]), Path(settings["raw_zone"])
    kept = dbt_speed.KeptCode(*files, settings["fingerprint"])
    templates = dbt_context.KeptTemplates(Path(settings["kept_templates"]))
    manifest = dbt_speed.KeptManifest(Path(settings["kept_manifest"]), settings["fingerprint"])
    tables = dbt_keep.BuiltTables(Path(settings["passed_tests"]))
    runner = Runner(settings["arguments"], output, kept, templates, manifest, tables)

    def next_command() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(commands.get())
        return found

    def leave(code: int) -> NoReturn:
        output.flush()
        # Without the interpreter's farewell: nothing is left to write.
        os._exit(code)

    command: dict[str, Any] | None = None
    if settings["manifest"] and runner.load_manifest(Path(settings["manifest"])):
        code, command = runner.build_when_told(settings["expected"], next_command)
        if command is None:
            leave(code)
    while True:
        command = command or next_command()
        if command["command"] == "build":
            leave(runner.build(command["arguments"]))
        runner.parse()
        command = None


def _listen(commands: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        commands.put(line)
    os._exit(1)


if __name__ == "__main__":
    main()
