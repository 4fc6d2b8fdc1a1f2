"""The SQL of the project's macros for one engine or the other, without a run of dbt."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal, NoReturn

import yaml
from jinja2 import Environment, FileSystemLoader

from tests.conftest import ROOT

Engine = Literal["duckdb", "spark"]
# The macros that say how an engine spells something; the others build tables.
FOLDERS = ("identity", "kpi", "money", "numbers", "staging", "text", "time", "types", "")
_MACROS = ROOT / "dbt_project" / "macros"
_STRINGS = {"duckdb": "varchar", "spark": "string"}


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        self.value = value


class Macros:
    """The macros as dbt gives them to one engine: `Macros("spark").render("add_days", "d", 1)`."""

    def __init__(self, engine: Engine, **variables: Any) -> None:
        project = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
        self.engine = engine
        self._variables = project["vars"] | variables
        self._environment = Environment(
            loader=FileSystemLoader(_MACROS), extensions=["jinja2.ext.do"], autoescape=False
        )
        self._files = {
            name: file.relative_to(_MACROS).as_posix()
            for folder in FOLDERS
            for file in sorted((_MACROS / folder).glob("*.sql"))
            for name in re.findall(r"{%-? macro (\w+)\(", file.read_text(encoding="utf-8"))
        }
        self._globals = {name: partial(self.render, name) for name in self._files} | {
            "adapter": SimpleNamespace(dispatch=self._dispatched),
            "env_var": os.environ.get,
            "dbt": SimpleNamespace(type_string=lambda: _STRINGS[engine]),
            "execute": True,
            "modules": SimpleNamespace(re=re),
            "return": _return,
            "var": self._variables.__getitem__,
        }

    @property
    def names(self) -> frozenset[str]:
        """Every macro, those of one engine too."""
        return frozenset(self._files)

    def render(self, name: str, *arguments: Any, **named: Any) -> Any:
        """What a macro returns: its text, or a value."""
        template = self._environment.get_template(self._files[name], globals=self._globals)
        try:
            return str(getattr(template.module, name)(*arguments, **named)).strip()
        except _Returned as returned:
            return returned.value

    def _dispatched(self, name: str, _: str) -> Callable[..., Any]:
        return partial(self.render, f"{self.engine}__{name}")


def _return(value: Any) -> NoReturn:
    raise _Returned(value)
