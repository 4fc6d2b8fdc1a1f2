"""Writes the dashboard: the page's own files, Apache ECharts and one publication's data in one."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from orchestration.base.errors import WrongUse, first_line
from orchestration.base.files import write_bytes
from orchestration.base.outside import facts_on_cluster
from orchestration.base.settings import Settings
from orchestration.dashboard.encode import dumps
from orchestration.dashboard.extract import Extract
from orchestration.dashboard.page_cache import CARRIER
from orchestration.metrics.catalogue import RUSSIAN, Catalogue

PARTS = Path(__file__).resolve().parent
# What a mail still carries, whatever the company's size.
MAX_BYTES = 3_000_000
_SCRIPT = "elements/echart/echart.min.js"


@dataclass(frozen=True)
class Dashboard:
    """A written page."""

    file: Path
    bytes: int
    publication_id: str


def write_dashboard(
    settings: Settings,
    output: Path | None = None,
    language: str = RUSSIAN,
    max_bytes: int = MAX_BYTES,
) -> Dashboard:
    """Write the page of the published file, in place of an older one. Raises WrongUse."""
    source = settings.published_file
    if not source.is_file():
        raise WrongUse(f"Nothing is published in {source.parent}.", "Run `voronka refresh` first.")
    try:
        with duckdb.connect(str(source), True, settings.session()) as connection:
            connection.execute("set TimeZone = 'UTC'")
            facts_on_cluster(connection)
            catalogue = Catalogue(_semantic_manifest(connection))
            room = max_bytes - len(render({"about": {"publication_id": ""}}, language).encode())
            data = Extract(connection, room).data(catalogue, settings.variables)
    except duckdb.Error as error:
        raise WrongUse(
            f"The dashboard cannot be read from {source}: {first_line(error)}",
            "Run `voronka refresh`, which publishes with this version's marts.",
        ) from error
    file = output or settings.dashboard_file
    text = render(data, language).encode()
    try:
        write_bytes(file, text, is_durable=True)
    except OSError as error:
        raise WrongUse(
            f"{file} cannot be written: {error.strerror}.", "Name another file with --output."
        ) from error
    return Dashboard(file, len(text), data["about"]["publication_id"])


def render(data: dict[str, Any] | None, language: str) -> str:
    """The whole page; `language` is the one it opens in.

    Without data it is the page of a server, which asks that one and nobody else.
    """
    page = _part("template.html")
    texts = json.loads(_part("texts.json"))
    for name, content in (
        ("language", language),
        ("asks", "" if data else " connect-src 'self';"),
        ("publication", data["about"]["publication_id"] if data else ""),
        ("style", _part("dashboard.css")),
        ("echarts", echarts()),
        ("texts", dumps(texts)),
        ("data", dumps(data) if data else ""),
        ("script", own_script()),
    ):
        page = page.replace(f"<!-- {name} -->", content, 1)
    return page


def own_script() -> str:
    """The page's JavaScript, file after file in one scope, in the order of their names.

    Lines that are comments are for who reads the files: the page does without.
    """
    files = sorted((PARTS / "js").glob("*.js"))
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return re.sub(r"^ *//.*\n", "", text, flags=re.MULTILINE)


def echarts() -> str:
    """Apache ECharts as its project releases it. The carrier is not imported."""
    found = importlib.util.find_spec(CARRIER)
    places = list(found.submodule_search_locations or []) if found else []
    for place in places:
        file = Path(place, _SCRIPT)
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise WrongUse(f"Apache ECharts is missing: {CARRIER} is not installed.", "Run `make install`.")


def _semantic_manifest(connection: duckdb.DuckDBPyConnection) -> str:
    """The definitions of the metrics, as the published file carries them."""
    row = connection.execute("select manifest from metrics.semantic_manifest").fetchone()
    assert row is not None
    return str(row[0])


@cache
def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")
