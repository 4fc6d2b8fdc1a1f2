"""All that the server serves, put together: the page, the API, and the tools of assistants."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated, Any

from pydantic import Field
from starlette.applications import Starlette

from orchestration.base.settings import Settings
from orchestration.connectors.links import CurrentLinks
from orchestration.metrics.choices import Language
from orchestration.metrics.russian import NAMES_FILE, read_names
from orchestration.serving.api import Api
from orchestration.serving.app import application
from orchestration.serving.endpoints import Endpoint, Parameters, Reply
from orchestration.serving.identity import Identity
from orchestration.serving.limits import Runner
from orchestration.serving.mcp import mcp_part
from orchestration.serving.page import PageData, page
from orchestration.serving.session import Session

_HTML = "text/html; charset=utf-8"
# The page is one file: its script and styles are in it, and it asks this server alone.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class PageParameters(Parameters):
    """How the page begins; where one is on it stands after `#`, and stays in the browser."""

    lang: Annotated[Language, Field(description="Its language.")] = Language.RUSSIAN


class PageDataParameters(Parameters):
    """What the page asks for; see `orchestration/serving/page.py`."""

    ask: Annotated[tuple[str, ...], Field(max_length=50, description="Parts of the page's data.")]
    ranges: Annotated[
        tuple[str, ...], Field(max_length=50, description="Days that they are wanted of.")
    ] = ()


def build(settings: Settings, runner: Runner, identity: Identity) -> Starlette:
    """The application with all that it serves."""
    names = read_names(settings.root) if (settings.root / NAMES_FILE).is_file() else {}
    api = Api(runner.limits, CurrentLinks(settings), names)
    endpoints = [*api.endpoints(), *_page(settings)]
    version = metadata.version("voronka")
    return application(runner, identity, endpoints, version, [mcp_part(settings, runner)])


def _page(settings: Settings) -> list[Endpoint[Any]]:
    data = PageData(settings.variables)
    html = {language: page(language).encode() for language in Language}

    def show(session: Session, asked: PageParameters) -> Reply:
        return Reply(html[asked.lang], _HTML, {"Content-Security-Policy": _PAGE_POLICY})

    def answer(session: Session, asked: PageDataParameters) -> Reply:
        query = [("ask", it) for it in asked.ask] + [("ranges", it) for it in asked.ranges]
        return Reply(data.answer(session, query), "application/json")

    return [
        Endpoint("/", show, PageParameters, "The page.", media_types={"html": _HTML}),
        Endpoint(
            "/api/page",
            answer,
            PageDataParameters,
            "Data of the page; they may change with it from version to version.",
        ),
    ]
