"""`voronka serve` and `voronka token`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

EPILOG = (
    "[bold]Examples[/]\n\n"
    "voronka serve                                        for this machine\n\n"
    "VORONKA_SERVE_SECRET=… voronka serve --host 0.0.0.0  for all who have a token\n\n"
    "curl 'http://127.0.0.1:8000/api/query?metrics=revenue&grain=month'"
)
TOKEN_EPILOG = (
    "[bold]Examples[/]\n\n"
    "voronka token head_north --days 90\n\n"
    "voronka token anna --url https://voronka.example.com   a link to send"
)


def serve(
    host: Annotated[
        str,
        typer.Option(
            "--host",
            help="Address to listen on. [dim]Beyond this machine only with tokens or a proxy "
            "that says who asks.[/]",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Port; 0: any that is free.")
    ] = 8000,
) -> None:
    """Serve the [bold]published[/] figures: the page, an API, and the rows behind each figure.

    It follows new publications by itself; SIGTERM or Ctrl-C ends it.
    """
    from orchestration.base.settings import load_settings
    from orchestration.serving.run import serve as run

    run(load_settings(), host, port)


def token(
    role: Annotated[
        str,
        typer.Argument(
            help="A role of access_roles.csv, VORONKA_POSTGRES_READER or VORONKA_POSTGRES_PERSONAL."
        ),
    ],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long it lasts.")] = 30,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="Address of the server: print a link to sign in by.", show_default=False
        ),
    ] = None,
) -> None:
    """Print a signed [bold]token[/] for `voronka serve`. Who has it sees what the role sees."""
    from orchestration.base.errors import WrongUse
    from orchestration.base.settings import load_settings
    from orchestration.serving.identity import by_token
    from orchestration.serving.session import Warehouse
    from orchestration.serving.viewer import NotAllowed

    settings = load_settings()
    signed = by_token(settings).token(role, days)
    warehouse = Warehouse(settings)
    try:
        # So that nobody is given a token that opens nothing.
        warehouse.viewer(role)
    except NotAllowed as error:
        raise WrongUse(f"There is no role {role!r}.", error.remedy) from error
    finally:
        warehouse.close()
    sys.stdout.write(f"{url.rstrip('/')}/enter#{signed}\n" if url else f"{signed}\n")
