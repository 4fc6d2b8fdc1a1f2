"""What `voronka doctor` says of notifications.yml; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.base.errors import VoronkaError, WrongUse
from orchestration.base.findings import Finding
from orchestration.base.settings import Settings
from orchestration.base.text import counted
from orchestration.digest.recipients import Notifications, read_notifications


def examine_notifications(settings: Settings) -> Iterator[Finding]:
    """Its syntax, its secrets, its addresses and whose rows are read; only where it is there."""
    if not settings.notifications_file.exists():
        return
    try:
        found = read_notifications(settings)
    except WrongUse as error:
        yield Finding("bad", error.message, error.remedy, list(error.details))
        return
    names = ", ".join(found.recipients) or "none"
    yield Finding("good", f"{counted(len(found.recipients), 'recipient')} of messages: {names}")
    unset = [
        f"{it.name}: {address.scheme}: {variable}"
        for it in found.recipients.values()
        for address in it.to
        for variable in address.unset
    ]
    if unset:
        yield Finding(
            "note",
            "A secret of notifications.yml is not set here",
            "Set the variable where `voronka digest` runs.",
            unset,
        )
    unreadable = list(_unreadable(found))
    if unreadable:
        yield Finding(
            "bad",
            "apprise cannot read an address of notifications.yml",
            "Compare it with https://appriseit.com/services/, and the value of its variable.",
            unreadable,
        )
    yield from _viewers(settings, found)
    if not settings.page_url:
        yield Finding(
            "note",
            "VORONKA_PAGE_URL is not set: messages have no links",
            "Set it to the address of the page.",
        )


def _unreadable(found: Notifications) -> Iterator[str]:
    from orchestration.digest.sending import is_readable

    for it in found.recipients.values():
        for address in it.to:
            if not address.unset and not is_readable(address):
                yield f"{it.name}: {address.scheme}"


def _viewers(settings: Settings, found: Notifications) -> Iterator[Finding]:
    """Roles that see nothing; they are known once something is published."""
    if not settings.published_file.is_file():
        return
    from orchestration.digest.run import viewer_of
    from orchestration.serving.session import Warehouse

    warehouse = Warehouse(settings)
    try:
        for it in found.recipients.values():
            try:
                viewer_of(it, warehouse)
            except VoronkaError as error:
                yield Finding("bad", f"{it.name}: {error.message}", error.remedy)
    finally:
        warehouse.close()
