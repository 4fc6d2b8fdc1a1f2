"""What `voronka connect check` asks a BlueSales account; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.base.findings import Finding
from orchestration.connectors.crm.rules import folded

if TYPE_CHECKING:
    from orchestration.connectors.kinds.bluesales.connector import Bluesales

_PAGE = "docs/connectors/bluesales.md says what it gives."
_DAYS = 30


def findings(blue: Bluesales) -> Iterator[Finding]:
    """Whom we are, how much there is, the statuses and fields of the last month, open keys."""
    keys = blue.connection
    users = blue.api.users()
    yield Finding("good", f"{keys.login} may ask; {len(users)} users are listed")
    yield Finding("good", f"Dates are read as {keys.source_timezone}'s, amounts as {keys.currency}")
    login = folded(keys.login)
    own = [it for it in users if login in (folded(str(it.get(n))) for n in ("login", "email"))]
    if own and blue.api.total("customers", managers=[{"id": own[0]["id"]}]):
        yield Finding(
            "note",
            f"{own[0].get('fullName')} works as {keys.login} and has customers: each load locks "
            "this person out",
            "Give the connector a user of its own.",
        )
    for name in ("customers", "orders"):
        yield Finding("good", f"{blue.api.total(name)} {name} can be read")
    since = (blue.today - timedelta(days=_DAYS)).isoformat()
    blue.sales.customers(blue.api.select("customers", lastContactDateFrom=since).rows)
    blue.sales.orders(blue.api.select("orders", dateFrom=since).rows)
    statuses = sorted(blue.sales.statuses.items())
    yield Finding(
        "good",
        f"{len(statuses)} statuses and {len(blue.sales.fields_seen)} custom fields are in use",
        details=[
            *(f"{it}: {name}" for it, name in statuses),
            *(
                f"field {', '.join(sorted(ids))}: {name}"
                for name, ids in sorted(blue.sales.fields_seen.items())
            ),
        ],
    )
    for key, names in blue.unmatched().items():
        yield Finding(
            "note",
            f"{key}: nothing is called {', '.join(names)} among what was in use lately",
            "Correct the name, or leave it: BlueSales lists no statuses, only their use.",
        )
    wanted = {
        "crm_statuses": keys.crm_statuses,
        "order_statuses": keys.order_statuses,
        "won_stages": keys.won_stages,
        "lost_stages": keys.lost_stages,
    }
    yield from keys.unset()
    for key, value in wanted.items():
        if not value:
            yield Finding("note", f"{key} is not set", _PAGE)
