"""What dbt does a second time for a project that has not changed, left out.

Each function changes one place in dbt that a profile of the refresh pointed at, and says what it
saves. Where dbt has no such place any more, nothing is changed: dbt is then slower, never wrong.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pickle
import re
import sys
import threading
from collections import UserDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from orchestration.base.files import read_json, read_marked, write_json, write_marked

# What a template may ask that neither project nor variables decide.
_MOMENT = re.compile(
    r"run_started_at|modules\.|env_var|thread_id|invocation_|selected_resources|flags|full_refresh"
)
_gone = suppress(ImportError, AttributeError)


def before_import() -> None:
    """Write the serialisers of dbt's classes when they are first used: half of dbt's import.

    Mashumaro can defer them by itself, but even what it defers it compiles for each class.
    """
    with _gone:
        from mashumaro.config import BaseConfig
        from mashumaro.core.meta.code.builder import CodeBuilder

        mixin: Any = import_module("mashumaro.mixins.dict")
        BaseConfig.lazy_compilation = True

        def write(kind: Any, name: str, options: Mapping[str, Any]) -> Any:
            terms = dict(options)
            terms["default_dialect"] = terms.pop("dialect", None)
            return CodeBuilder(kind, first_method=name, allow_postponed_evaluation=False, **terms)

        def unpack_later(kind: Any, **options: Any) -> None:
            name = f"from_{options.get('format_name', 'dict')}"

            def unpack(this: Any, *arguments: Any, **flags: Any) -> Any:
                write(this, f"__mashumaro_{name}__", options).add_unpack_method()
                return getattr(this, name)(*arguments, **flags)

            for each in (name, f"__mashumaro_{name}__"):
                setattr(kind, each, classmethod(unpack))

        def pack_later(kind: Any, **options: Any) -> None:
            name = f"to_{options.get('format_name', 'dict')}"

            def pack(this: Any, *arguments: Any, **flags: Any) -> Any:
                write(type(this), f"__mashumaro_{name}__", options).add_pack_method()
                return getattr(this, name)(*arguments, **flags)

            for each in (name, f"__mashumaro_{name}__"):
                setattr(kind, each, pack)

        if mixin.compile_mixin_unpacker and mixin.compile_mixin_packer:
            mixin.compile_mixin_unpacker, mixin.compile_mixin_packer = unpack_later, pack_later


def shorten_events(tell: Callable[[str, Mapping[str, Any]], None]) -> None:
    """Tell of good results directly and build no event that nobody reads: a fifth of dbt's time.

    dbt makes a protocol buffer of every event, also of debug events and of every start, before it
    asks whether it is wanted. `tell` gets the kind and the values of a good result.
    """
    with _gone:
        from dbt.events.types import LogModelResult, LogSeedResult, LogStartLine, LogTestResult
        from dbt_common.events.base_types import BaseEvent, DebugLevel, EventLevel
        from dbt_common.events.event_manager import EventManager

        build, fire = BaseEvent.__init__, EventManager.fire_event
        unread = (DebugLevel, LogStartLine)
        results = (LogModelResult, LogSeedResult, LogTestResult)

        def build_wanted(event: Any, *arguments: Any, **values: Any) -> None:
            if isinstance(event, unread):
                event.__dict__["pb_msg"] = None
            elif isinstance(event, results):
                event.__dict__.update(pb_msg=None, _values=values)
            else:
                build(event, *arguments, **values)

        def fire_wanted(manager: Any, event: Any, level: Any = None, **options: Any) -> None:
            if isinstance(event, unread):
                return
            if isinstance(event, results):
                if level == EventLevel.INFO:
                    tell(type(event).__name__, event._values)
                    return
                build(event, **event._values)
            fire(manager, event, level=level, **options)

        BaseEvent.__init__, EventManager.fire_event = build_wanted, fire_wanted


def share_tables_and_types() -> None:
    """One empty result for every statement without rows, one set of types for every result.

    To make the first takes two milliseconds, the second ten.
    """
    with _gone:
        from dbt_common.clients import agate_helper

        agate_helper.empty_table = functools.cache(agate_helper.empty_table)
        types = functools.cache(agate_helper.build_type_tester)

        def shared_types(
            text_columns: Iterable[str], string_null_values: Iterable[str] = ("null", "")
        ) -> Any:
            return types(frozenset(text_columns), tuple(string_null_values))

        agate_helper.build_type_tester = shared_types


def ask_tests_directly() -> None:
    """Ask a test's one question without the macros that wrap it: half of a test's time.

    Only where the wrapping is dbt's own and nothing is stored: then it is this statement.
    """
    with _gone:
        from dbt.flags import get_flags
        from dbt.task.test import TestResultData, TestRunner
        from dbt.utils import _coerce_decimal

        ask = TestRunner.execute_data_test

        def ask_directly(runner: Any, test: Any, manifest: Any) -> Any:
            if get_flags().STORE_FAILURES or not _is_plain_test(test, manifest):
                return ask(runner, test, manifest)
            terms, calculation = test.config, test.config.fail_calc
            _, cursor = runner.adapter.connections.add_query(
                f"select {calculation} as failures, {calculation} {terms.warn_if} as should_warn, "
                f"{calculation} {terms.error_if} as should_error "
                f"from (\n{test.compiled_code}\n) as dbt_internal_test",
                auto_begin=False,
            )
            (row,) = cursor.fetchall()
            found = dict(zip(("failures", "should_warn", "should_error"), row, strict=True))
            found["failures"] = _coerce_decimal(found["failures"])
            response = runner.adapter.connections.get_response(cursor)
            found["adapter_response"] = response.to_dict(omit_none=True)
            TestResultData.validate(found)
            return TestResultData.from_dict(found)

        TestRunner.execute_data_test = ask_directly


_WRAPPERS = ("get_test_sql", "default__get_test_sql", "duckdb__get_test_sql", "statement")


def _is_plain_test(test: Any, manifest: Any) -> bool:
    """Whether nothing but dbt's own macros say how this test is asked."""
    terms = test.config
    own = manifest.get_macros_by_package().get(test.package_name, {})
    return not (
        terms.limit is not None
        or terms.store_failures
        or terms.store_failures_as
        or terms.get("sql_header")
        or terms.materialized != "test"
        or any(name in own for name in (*_WRAPPERS, "get_limit_subquery_sql"))
        or any(name.startswith("materialization_test_") for name in own)
    )


def find_relations_by_name() -> None:
    """Look a relation up in dbt's cache by its name, not by comparing it with all of them."""
    with _gone:
        from dbt.adapters.base.impl import BaseAdapter
        from dbt.adapters.reference_keys import _ReferenceKey

        search = BaseAdapter.get_relation

        def find(adapter: Any, database: str, schema: str, identifier: str) -> Any:
            names = database, schema, identifier
            if all(names) and adapter._schema_is_cached(database, schema):
                key = _ReferenceKey(*(name.lower() for name in names))
                with adapter.cache.lock:
                    found = adapter.cache.relations.get(key)
                if found is None:
                    return None
                if adapter._make_match([found.inner], *names):
                    return found.inner
            return search(adapter, *names)

        BaseAdapter.get_relation = find
        # Templates may call it; dbt marks what they may.
        find.__dict__.update(search.__dict__)


def name_no_sources() -> None:
    """Do not search Python's stack for the module that declares a flag of behaviour."""
    with _gone:
        from dbt_common.behavior_flags import BehaviorFlagRendered

        BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")


def write_only_bad_code() -> None:
    """Write SQL to target/run and target/compiled where it went wrong: then people look there.

    dbt writes both for every node, four hundred files.
    """
    with _gone:
        from dbt.contracts.graph.nodes import ParsedNode
        from dbt.task.base import BaseRunner

        write, run = ParsedNode.write_node, BaseRunner.safe_run

        def keep(node: Any, root: str, path: str, code: str) -> None:
            node.__dict__.setdefault("_unwritten", {})[path] = root, code

        def run_and_write(runner: Any, manifest: Any) -> Any:
            result = run(runner, manifest)
            if result.status not in ("success", "pass"):
                for path, (root, code) in runner.node.__dict__.get("_unwritten", {}).items():
                    write(runner.node, root, path, code)
            return result

        ParsedNode.write_node, BaseRunner.safe_run = keep, run_and_write


def wait_before_database(wait: Callable[[], None]) -> Callable[[], None] | None:
    """Call `wait` before a command asks the database for the first time, and before its nodes.

    What it raises ends the command. The result ends the waiting; None where dbt has no such place.
    """
    with _gone:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.task.runnable import GraphRunnableTask

        run, open_ = GraphRunnableTask.execute_with_hooks, DuckDBConnectionManager.open.__func__

        def run_when_told(task: Any, *arguments: Any, **options: Any) -> Any:
            wait()
            return run(task, *arguments, **options)

        def open_when_told(manager: Any, connection: Any) -> Any:
            wait()
            return open_(manager, connection)

        def forget() -> None:
            GraphRunnableTask.execute_with_hooks = run
            DuckDBConnectionManager.open = classmethod(open_)

        GraphRunnableTask.execute_with_hooks = run_when_told
        DuckDBConnectionManager.open = classmethod(open_when_told)
        return forget
    return None


def draw_no_graphs() -> None:
    """Do not write the project's graph as files for dbt's own diagnosis: half a second."""
    with _gone:
        from dbt.compilation import Compiler, Linker

        Linker.get_graph_summary = lambda linker, manifest: {}
        Compiler.write_graph_file = lambda compiler, linker, manifest: None


class LazyGraph(UserDict[str, Any]):
    """The manifest as the variable `graph` of templates, made when a template first reads it.

    With kept code no template does: half a second.
    """

    def __init__(self, manifest: Any) -> None:
        self._manifest = manifest
        self._made: dict[str, Any] | None = None
        self._making = threading.Lock()

    @property
    def data(self) -> dict[str, Any]:  # type: ignore[override]  # made when it is read
        """The graph in dbt's form."""
        with self._making:
            if self._made is None:
                self._manifest.build_flat_graph()
                self._made, self._manifest.flat_graph = self._manifest.flat_graph, self
            return self._made


def trust_the_parsed_project() -> None:
    """Do not hold dbt_project.yml and profiles.yml against dbt's schemas, nor write manifest.json.

    Nor look for packages and cycles. The parse that saved the manifest did all that, for the same
    files. It is two and a half seconds.
    """
    with _gone:
        from dbt.adapters.duckdb.credentials import DuckDBCredentials
        from dbt.compilation import Linker
        from dbt.contracts import project
        from dbt.task import runnable

        trusted = classmethod(lambda kind, data: None)
        for kind in (
            *(project.Project, project.Configuration, project.ProfileConfig),
            project.PackageConfig,
        ):
            kind.validate = trusted
        Linker.find_cycles = lambda linker: None
        project.ProjectFlags.validate = DuckDBCredentials.validate = trusted
        runnable.write_manifest = lambda *arguments, **options: None


class KeptManifest:
    """dbt's manifest as Python's own objects: reading it takes a tenth of dbt's own form's time."""

    def __init__(self, file: Path, fingerprint: str) -> None:
        self._file, self._mark = file, f"{sys.version}|{fingerprint}"

    def load(self) -> Any:
        """The manifest of this project; None where there is none."""
        from dbt.contracts.graph.manifest import Manifest

        content = read_marked(self._file, self._mark)
        if content is None:
            return None
        try:
            return Manifest(**pickle.loads(content))
        except Exception:  # noqa: BLE001  any damage only costs the time of another form
            return None

    def save(self, manifest: Any) -> None:
        """Keep a manifest as it was parsed, before anything runs."""
        # The graph and what begins with _ are made from the others when they are asked for.
        kept = {
            field.name: getattr(manifest, field.name)
            for field in dataclasses.fields(manifest)
            if not field.name.startswith("_") and field.name != "flat_graph"
        }
        write_marked(self._file, self._mark, pickle.dumps(kept, protocol=5))


class _Asked(threading.local):
    """What the node that a thread compiles has asked for."""

    database = False
    raw_zone = False


class KeptCode:
    """Compiled SQL of the models and tests, kept for the next refresh of the same project.

    Compilation depends on the project, its variables and the target, all of which are in the
    fingerprint; where it asks for the columns of a raw table, on the raw zone's columns too. What
    depends on more is compiled each time: a node that asked the database anything else while it
    was compiled, whose templates name the moment, that has ephemeral parents or constraints.
    It is a third of dbt's time.
    """

    def __init__(self, file: Path, raw_zone: Path, fingerprint: str) -> None:
        self._file, self._raw_zone, self._fingerprint = file, raw_zone, fingerprint
        state = read_json(file)
        is_current = state.get("fingerprint") == fingerprint
        # By node: the columns of the raw zone it was compiled for, empty where it asked for none.
        self._kept: dict[str, tuple[str, str]] = state["kept"] if is_current else {}
        self._is_changed = False
        self.columns = ""
        self._asked = _Asked()

    def install(self) -> None:
        """Let dbt's compiler use the kept code and keep new one."""
        with _gone:
            from dbt.compilation import Compiler
            from dbt.context.providers import RuntimeDatabaseWrapper

            compile_code, ask = Compiler._compile_code, RuntimeDatabaseWrapper.__getattr__

            def asked(wrapper: Any, name: str) -> Any:
                found = ask(wrapper, name)
                if name != "get_columns_in_relation":
                    self._asked.database = True
                    return found

                def columns_of(relation: Any) -> Any:
                    has_asked = self._asked.database
                    columns = found(relation)
                    # dbt's own macro for it also asks; that is nothing more.
                    if relation.database == self._raw_zone.stem:
                        self._asked.database, self._asked.raw_zone = has_asked, True
                    else:
                        self._asked.database = True
                    return columns

                return columns_of

            def compiled(compiler: Any, node: Any, manifest: Any, extra_context: Any = None) -> Any:
                if not extra_context and self.restore(node):
                    return node
                self._asked.database = self._asked.raw_zone = False
                node = compile_code(compiler, node, manifest, extra_context)
                if not extra_context and not self._asked.database:
                    self._keep(node, manifest)
                return node

            Compiler._compile_code, RuntimeDatabaseWrapper.__getattr__ = compiled, asked

    def read_raw_zone(self) -> None:
        """Note the columns that the raw zone has in this refresh, before anything is compiled."""
        import duckdb

        with duckdb.connect(str(self._raw_zone), read_only=True) as connection:
            found = connection.execute(
                "select schema_name, table_name, column_name, data_type from duckdb_columns() "
                "where not internal order by all"
            ).fetchall()
        self.columns = hashlib.sha256(repr(found).encode()).hexdigest()

    def save(self) -> None:
        """Write what is kept, if there is anything new."""
        if self._is_changed:
            write_json(self._file, {"fingerprint": self._fingerprint, "kept": self._kept})

    def restore(self, node: Any) -> bool:
        """Give a node its kept code, if it has any for these raw columns."""
        columns, code = self._kept.get(node.unique_id, ("", None))
        if code is None or columns not in ("", self.columns):
            return False
        node.compiled_code, node.compiled = code, True
        return True

    def _keep(self, node: Any, manifest: Any) -> None:
        if depends_on_project(node, manifest):
            columns = self.columns if self._asked.raw_zone else ""
            self._kept[node.unique_id] = (columns, node.compiled_code)
            self._is_changed = True


def depends_on_project(node: Any, manifest: Any) -> bool:
    """Whether the compiled SQL is all that compilation gives, and the project decides it."""
    if node.resource_type not in ("model", "test") or node.language != "sql" or node.extra_ctes:
        return False
    # The compiler also completes these: constraints, and the relation of stored failures.
    if node.all_constraints if node.resource_type == "model" else node.is_relational:
        return False
    if _MOMENT.search(node.raw_code):
        return False
    return not any(
        macro.package_name == node.package_name and _MOMENT.search(macro.macro_sql)
        for macro in _macros_below(node, manifest)
    )


def _macros_below(node: Any, manifest: Any) -> Iterator[Any]:
    """The macros that a node calls, and those that they call."""
    seen: set[str] = set()
    waiting = list(node.depends_on.macros)
    while waiting:
        name = waiting.pop()
        macro = manifest.macros.get(name)
        if name not in seen and macro is not None:
            seen.add(name)
            waiting += macro.depends_on.macros
            yield macro
