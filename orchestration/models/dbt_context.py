"""What dbt's templates may ask, made when one asks: a quarter of dbt's time otherwise.

For every node dbt makes some seven hundred objects that its templates could name, six hundred of
them macros. A model names about twenty.
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestration.base.files import read_marked, write_marked

_gone = suppress(ImportError, AttributeError)


class LazyNames(dict[str, Any]):
    """A dictionary of `names`, each value made by `make` when it is first read.

    What is put in by hand comes before what would be made. Whoever reads all of it, as a copy
    does, has all of it made.
    """

    def __init__(
        self, names: Collection[str] = (), make: Callable[[str], Any] | None = None
    ) -> None:
        super().__init__()
        self.offer(names, make)

    def offer(self, names: Collection[str], make: Callable[[str], Any] | None) -> None:
        """Say which names there are and how their values are made."""
        self._names, self._make = names, make

    def __missing__(self, name: str) -> Any:
        if self._make is None or name not in self._names:
            raise KeyError(name)
        return super().setdefault(name, self._make(name))

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value, made if need be; else `default`, which then stays."""
        return self[name] if name in self else super().setdefault(name, default)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._names

    def get(self, name: str, default: Any = None) -> Any:
        """The value, made if need be."""
        return self[name] if name in self else default  # noqa: SIM401  this is what get is made of

    def _all(self) -> LazyNames:
        for name in self._names:
            self[name]
        return self

    def __iter__(self) -> Iterator[str]:
        return super(LazyNames, self._all()).__iter__()

    def __len__(self) -> int:
        return super(LazyNames, self._all()).__len__()

    def keys(self) -> Any:
        """All names."""
        return super(LazyNames, self._all()).keys()

    def values(self) -> Any:
        """All values."""
        return super(LazyNames, self._all()).values()

    def items(self) -> Any:
        """All names and values."""
        return super(LazyNames, self._all()).items()

    def copy(self) -> dict[str, Any]:
        """A dictionary with all of it."""
        return super(LazyNames, self._all()).copy()


def make_macros_when_called() -> None:
    """Let a template's macros be made when it calls them."""
    with _gone:
        from dbt.clients.jinja import MacroGenerator
        from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder

        plans: dict[tuple[Any, ...], _MacroPlan] = {}

        def build(
            builder: Any, macros_by_package: Mapping[str, Mapping[str, Any]], context: Any
        ) -> Any:
            order = tuple(builder.internal_package_names_order)
            key = (id(macros_by_package), builder.root_package, builder.search_package, order)
            if key not in plans:
                plans[key] = _MacroPlan(macros_by_package, *key[1:])
            plan = plans[key]
            made: dict[str, Any] = {}

            def generator(macro: Any) -> Any:
                if macro.unique_id not in made:
                    made[macro.unique_id] = MacroGenerator(
                        macro, context, builder.node, builder.thread_ctx
                    )
                return made[macro.unique_id]

            def lazy(macros: Mapping[str, Any]) -> LazyNames:
                return LazyNames(macros, lambda name: generator(macros[name]))

            namespace = MacroNamespace(
                global_namespace=lazy(plan.globals),
                local_namespace=lazy(plan.locals),
                global_project_namespace=lazy(plan.internal),
                packages={name: lazy(macros) for name, macros in plan.packages.items()},
            )
            namespace._names = plan.names
            return namespace

        MacroNamespaceBuilder.build_namespace = build


class _MacroPlan:
    """Which macros a package's templates can name, by name: MacroNamespaceBuilder's rules."""

    def __init__(
        self,
        macros_by_package: Mapping[str, Mapping[str, Any]],
        root: str,
        package: str,
        internal_order: tuple[str, ...],
    ) -> None:
        from dbt.include.global_project import PROJECT_NAME

        # Its identity is the plan's key.
        self.source = macros_by_package
        self.packages = {
            name: macros for name, macros in macros_by_package.items() if name not in internal_order
        }
        self.locals = self.packages.get(package, {})
        self.globals = {} if root == package else self.packages.get(root, {})
        self.internal: dict[str, Any] = {}
        for name in reversed(internal_order):
            self.internal.update(macros_by_package.get(name, {}))
        self.names = frozenset(
            {*self.locals, *self.globals, *self.packages, PROJECT_NAME, *self.internal}
        )


def make_context_when_read() -> None:
    """Let a running node's context be made name by name.

    Contexts for parsing stay as they are.
    """
    with _gone:
        from dbt.context.base import BaseContext
        from dbt.context.providers import MacroContext, ModelContext

        begin = BaseContext.__init__
        plain = {kind: kind.to_dict for kind in (ModelContext, MacroContext)}

        def begin_lazily(context: Any, *arguments: Any, **options: Any) -> None:
            begin(context, *arguments, **options)
            if type(context) in plain:
                context._ctx = LazyNames()

        def to_dict(context: Any) -> dict[str, Any]:
            namespace, found = context.namespace, context._ctx
            if type(context) not in plain or not hasattr(namespace, "_names"):
                whole: dict[str, Any] = plain[type(context)](context)
                return whole
            # What making `var` does beside: templates need it even without variables.
            context.config.load_dependencies()
            members = context._context_members_

            def member(name: str) -> Any:
                value = members[name]
                return value.__get__(context) if hasattr(value, "__get__") else value

            builtins = LazyNames(members, member)

            def made(name: str) -> Any:
                return namespace[name] if name in namespace._names else builtins[name]

            found["context"], found["builtins"] = found, builtins
            found.offer(namespace._names | members.keys(), made)
            return found  # type: ignore[no-any-return]  # dbt's own field

        BaseContext.__init__ = begin_lazily
        ModelContext.to_dict = MacroContext.to_dict = to_dict


class KeptTemplates:
    """Macros as Jinja compiles them, kept for the next refresh: half a second.

    They depend on their text and on the versions of Python, Jinja and dbt's parser.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mark = "|".join([sys.version, version("jinja2"), version("dbt-common")])
        state = read_marked(file, self._mark)
        self._kept: dict[str, Any] = marshal.loads(state) if state else {}
        self._is_changed = False

    def install(self) -> None:
        """Let dbt take compiled macros from here and bring new ones."""
        with _gone:
            from dbt_common.clients.jinja import TemplateCache, catch_jinja, get_environment

            def template(cache: Any, node: Any) -> Any:
                source = node.macro_sql
                if source not in cache.file_cache:
                    with catch_jinja(node):
                        environment = get_environment(node)
                        code = self._kept.get(source)
                        if code is None:
                            code = self._kept[source] = environment.compile(str(source))
                            self._is_changed = True
                        cache.file_cache[source] = environment.template_class.from_code(
                            environment, code, environment.make_globals({})
                        )
                return cache.file_cache[source]

            TemplateCache.get_node_template = template

    def save(self) -> None:
        """Write what is kept, if there is anything new."""
        if self._is_changed:
            write_marked(self._file, self._mark, marshal.dumps(dict(self._kept)))
