"""What `voronka connect check` asks an amoCRM account; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestration.base.errors import VoronkaError
from orchestration.base.findings import Finding
from orchestration.connectors.kinds.amocrm import mapping
from orchestration.connectors.kinds.amocrm.touches import TOUCH_EVENTS

if TYPE_CHECKING:
    from orchestration.connectors.kinds.amocrm.connector import Amocrm

# Endpoint, the rows' name, and the tables that stay empty without it.
_ENDPOINTS = (
    ("/leads", "leads", "crm.leads, crm.deals"),
    ("/contacts", "contacts", "crm.contacts, crm.contact_phones"),
    ("/companies", "companies", "names of companies"),
    ("/tasks", "tasks", "crm.meetings"),
    ("/leads/unsorted", "unsorted", "leads that nobody has accepted yet"),
    ("/leads/notes", "notes", "messages that are only in notes"),
    ("/contacts/notes", "notes", "messages that are only in notes"),
)
_SKEW = 300


def findings(amo: Amocrm) -> Iterator[Finding]:
    """Who the token acts as, the account, each endpoint, and keys that are not set."""
    account = amo.account
    user = next((it for it in amo.users if str(it.get("id")) == account.user), None)
    is_admin = bool(user and (user.get("rights") or {}).get("is_admin"))
    name = user.get("name") if user else "a user who is not listed"
    if is_admin:
        yield Finding("good", f"The token acts as {name}, an administrator")
    else:
        yield Finding(
            "note",
            f"The token acts as {name}, who is no administrator",
            "Rows that he may not see are missing; let an administrator make the token.",
        )
    yield Finding("good", f"Account: times in {account.zone.key}, amounts in {account.currency}")
    skew = amo.api.http.skew
    if amo.work.clock.fixed is None and skew is not None and abs(skew) > _SKEW:
        yield Finding("note", f"This machine's clock differs by {abs(skew):.0f} s", "Set it right.")
    yield Finding(
        "good",
        f"{len(amo.users)} users, {len(amo.pipelines.rows)} pipelines, "
        f"{len(amo.pipelines.stages)} stages",
    )
    # Both raise where a name fits none or several.
    assert amo.stages is not None
    assert amo.fields is not None
    for path, rows, tables in _ENDPOINTS:
        yield _endpoint(amo, path, rows, tables)
    yield from _types(amo)
    yield from amo.connection.unset()


def _endpoint(amo: Amocrm, path: str, rows: str, tables: str) -> Finding:
    try:
        body = amo.api.get(path, {"limit": 1, "page": 1})
        if body is not None:
            amo.api.embedded(body, rows, path)
    except VoronkaError as error:
        return Finding("bad", f"{path}: without it no {tables}", error.remedy, [error.message])
    return Finding("good", f"{path} can be read" + ("" if body else ", and is empty"))


def _types(amo: Amocrm) -> Iterator[Finding]:
    wanted = {mapping.STATUS_CHANGED, "lead_deleted", "contact_deleted", *TOUCH_EVENTS}
    missing = sorted(wanted - amo.event_types)
    if missing:
        yield Finding(
            "note",
            "The account has no events of some types, and nothing is read of them",
            details=missing,
        )
