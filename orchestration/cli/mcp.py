"""`voronka mcp`: the figures for an assistant on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

EPILOG = (
    "[bold]Examples[/]\n\n"
    "voronka mcp                        what Claude Desktop, Cursor and others start themselves\n\n"
    "voronka mcp --role head_north      the rows of a role of access_roles.csv, masked\n\n"
    "voronka serve                      the same over HTTP, at /mcp"
)


def mcp(
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="See what this role sees. [dim]Default: VORONKA_MCP_ROLE, else everything, as "
            "who can read the published file does.[/]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Answer an [bold]assistant[/] about the published figures, over standard input and output.

    The Model Context Protocol: metrics, figures, the rows behind them, diagnosis, freshness. It
    only reads. docs/mcp.md says how to connect an assistant.
    """
    from orchestration.base.settings import load_settings
    from orchestration.serving.limits import Limits, Runner
    from orchestration.serving.mcp import mcp_server
    from orchestration.serving.session import Warehouse
    from orchestration.serving.viewer import LOCAL

    settings = load_settings()
    warehouse = Warehouse(settings)
    name = role if role is not None else settings.mcp_role
    # A role that is unknown ends the command here, not every answer later.
    viewer = warehouse.viewer(name) if name is not None else LOCAL
    limits = Limits(seconds=settings.serve_seconds, rows=settings.serve_rows)
    runner = Runner(warehouse, limits)
    try:
        mcp_server(settings, runner, lambda _: viewer).run("stdio")
    finally:
        runner.close()
        warehouse.close()
