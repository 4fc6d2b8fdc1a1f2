"""A sheet on paper: one HTML file that prints on one page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from orchestration.base.errors import WrongUse
from orchestration.base.files import write_bytes
from orchestration.base.terminal import visible
from orchestration.report.words import Page

WIDTH, HEIGHT = 64, 14


def write_paper(page: Page, file: Path) -> None:
    """Write the sheet in place of an older one.

    Raises WrongUse where it cannot be written, or where the name says that it is no HTML.
    """
    if file.suffix.lower() not in (".html", ".htm"):
        raise WrongUse(
            f"{file.name}: the sheet is HTML.",
            "Name it with .html; a browser prints it, to paper or to PDF.",
        )
    try:
        write_bytes(file, render(page).encode(), is_durable=True)
    except OSError as error:
        raise WrongUse(
            f"{file} cannot be written: {error.strerror}.", "Name another file with --output."
        ) from error


def render(page: Page) -> str:
    """The sheet as HTML; every text is escaped."""
    return _template().render(page=page, blocks={it.name: it for it in page.blocks})


def points(values: Sequence[float | None]) -> str:
    """A line over time as the points of an SVG, left to right; empty with fewer than two."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return ""
    low = min(value for _, value in known)
    span = max(value for _, value in known) - low
    return " ".join(
        f"{1 + at * (WIDTH - 2) / (len(values) - 1):.1f},"
        f"{HEIGHT - 1 - ((value - low) / span if span else 0.5) * (HEIGHT - 2):.1f}"
        for at, value in known
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = points
    environment.filters["visible"] = visible
    environment.globals |= {"width": WIDTH, "height": HEIGHT}
    return environment.get_template("sheet.html")
