"""Which kinds there are: every module of `kinds` that names its connectors."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from orchestration.connectors import kinds
from orchestration.connectors.connector import Connector


@cache
def all_kinds() -> dict[str, type[Connector[Any]]]:
    """The kinds by name. Their modules import nothing heavy where they begin."""
    found: dict[str, type[Connector[Any]]] = {}
    for module in sorted(it.name for it in pkgutil.iter_modules(kinds.__path__)):
        loaded = importlib.import_module(f"{kinds.__name__}.{module}")
        for connector in loaded.CONNECTORS:
            found[connector.kind] = connector
    return found
