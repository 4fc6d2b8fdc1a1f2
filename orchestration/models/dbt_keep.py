"""Nodes that this refresh need not run, told without rendering them.

Tables remember what they were made from (macros/refresh/remember.sql; docs/decisions/0009). Where a
model's SQL and the versions of all its parents are the remembered ones, its rows are too; a test
with the same SQL that has passed on the same versions passes. dbt's own materialization comes to
the same end for a model, forty times slower.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestration.base.files import read_json, write_json

KEPT = "KEPT"
_gone = suppress(ImportError, AttributeError)


class BuiltTables:
    """What the tables of the build file remember, and which tests have passed on them."""

    def __init__(self, passed_tests: Path) -> None:
        self._file = passed_tests
        self._passed: dict[str, str] | None = None
        self._is_changed = False
        self._states: dict[str, list[tuple[str, str, dict[str, Any]]]] | None = None
        self._lock = threading.Lock()

    def install(self) -> None:
        """Let dbt ask here before it runs a model or a test."""
        with _gone:
            from dbt.flags import get_flags
            from dbt.task.run import ModelRunner
            from dbt.task.test import TestResultData, TestRunner

            run_model, run_test = ModelRunner.execute, TestRunner.execute_data_test

            def run_if_changed(runner: Any, model: Any, manifest: Any) -> Any:
                # Seeds run as models do.
                may_stay = model.resource_type == "model" and not (
                    get_flags().FULL_REFRESH or model.config.full_refresh
                )
                if may_stay and self.is_as_remembered(model):
                    return _kept_result(model)
                try:
                    return run_model(runner, model, manifest)
                finally:
                    self.forget()

            def run_if_new(runner: Any, test: Any, manifest: Any) -> Any:
                version = None if get_flags().STORE_FAILURES else self.tested_version(test)
                if version is not None and self._passed_tests().get(test.unique_id) == version:
                    return TestResultData.from_dict(
                        {"failures": 0, "should_warn": False, "should_error": False}
                        | {"adapter_response": {"_message": KEPT}}
                    )
                result = run_test(runner, test, manifest)
                if version is not None and result.failures == 0:
                    self._passed_tests()[test.unique_id] = version
                    self._is_changed = True
                return result

            ModelRunner.execute, TestRunner.execute_data_test = run_if_changed, run_if_new

    def is_as_remembered(self, model: Any) -> bool:
        """Whether a model's relation was made by this SQL from the present versions of parents."""
        place = [model.schema, model.config.materialized]
        memories = self._remembered().get(model.alias, [])
        built = next((memory for *found, memory in memories if found == place), {})
        versions = self._versions(model)
        return (
            versions is not None
            and built.get("parents") == versions
            and built.get("code") == code_of(model)
        )

    def tested_version(self, test: Any) -> str | None:
        """Stands for what a test reads and asks; None where something has no version."""
        versions = self._versions(test)
        if versions is None:
            return None
        terms = [test.config.fail_calc, test.config.warn_if, test.config.error_if]
        asked = json.dumps([versions, terms, test.compiled_code], sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()

    def _passed_tests(self) -> dict[str, str]:
        """By name, the version that each test has passed on.

        Read when the first is asked for: until then a refresh from scratch may forget them.
        """
        with self._lock:
            if self._passed is None:
                self._passed = read_json(self._file)
            return self._passed

    def forget(self) -> None:
        """A table may have changed: read again what they remember."""
        with self._lock:
            self._states = None

    def save(self) -> None:
        """Write which tests have passed, if there are new ones."""
        if self._is_changed:
            write_json(self._file, self._passed_tests())

    def _versions(self, node: Any) -> dict[str, str] | None:
        """Versions of a node's parents; None where one has none: a seed, a source, a new table.

        Nor has a model that has moved and is there twice.
        """
        states = self._remembered()
        versions = {}
        for unique_id in node.depends_on.nodes:
            kind, _, name, *_ = unique_id.split(".")
            memories = states.get(name, []) if kind == "model" else []
            if len(memories) != 1 or "version" not in memories[0][-1]:
                return None
            versions[name] = memories[0][-1]["version"]
        return versions

    def _remembered(self) -> Mapping[str, list[tuple[str, str, dict[str, Any]]]]:
        """By name, each relation's schema, kind (table or view) and own memory."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        with self._lock:
            if self._states is None:
                with DuckDBConnectionManager._ENV.conn.cursor() as cursor:
                    found = cursor.execute(
                        "select table_name, schema_name, 'table', comment from duckdb_tables() "
                        "where database_name = current_database() and schema_name != 'state' "
                        "and starts_with(comment, '{') union all "
                        "select view_name, schema_name, 'view', comment from duckdb_views() "
                        "where database_name = current_database() and starts_with(comment, '{')"
                    ).fetchall()
                self._states = {}
                for name, schema, kind, text in found:
                    memory = (schema, kind, json.loads(text))
                    self._states.setdefault(name, []).append(memory)
            return self._states


def code_of(model: Any) -> str:
    """The digest of SQL, columns and contract, as macros/refresh/code_of.sql makes it."""
    names = ",".join(column.name for column in model.columns.values())
    text = f"{model.compiled_code}|{names}|{model.contract.checksum or ''}"
    return hashlib.md5(text.encode()).hexdigest()


def _kept_result(model: Any) -> Any:
    from dbt.artifacts.schemas.results import RunStatus
    from dbt.artifacts.schemas.run import RunResult

    return RunResult(
        node=model,
        status=RunStatus.Success,
        timing=[],
        thread_id=threading.current_thread().name,
        execution_time=0,
        message=KEPT,
        adapter_response={"_message": KEPT},
        failures=None,
        batch_results=None,
    )
