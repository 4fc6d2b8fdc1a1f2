"""Links into the CRM: where a person sees what a row of a fact is, by connections.yml.

A key of the warehouse is the connection's prefix and the system's id; the id stands in the
connection's template of its kind. Addresses are http or https, and an id in them is
percent-encoded, whatever it holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.connectors.connections import read_connections

LinkKind = Literal["lead", "deal", "contact", "company", "meeting", "payment", "activity", "survey"]
_PLACE = "{id}"
_ADDRESS = re.compile(r"https?://[^\s\x00-\x1f\x7f<>\"'`\\]+", re.IGNORECASE)
# What the connectors put before ids of their own: whose page it is, and where the id ends.
_OTHERS = {"co": "company", "ld": "lead"}
_OF_OTHERS = re.compile(r"(co|ld)(\d+)")
_OF_DEAL = re.compile(r"(?:st|fd|won):([^:]+)(?::\d+)?")
# A row leads to itself, else to what it is about.
_KEYS: Mapping[str, str] = {
    "meeting_id": "meeting",
    "payment_id": "payment",
    "activity_id": "activity",
    "survey_id": "survey",
    "deal_id": "deal",
    "lead_id": "lead",
    "contact_id": "contact",
}


def _checked(template: str) -> str:
    """A template with a place for the id. Raises ValueError."""
    if not is_address(template.replace(_PLACE, "1")):
        raise ValueError("is no address: it begins with https:// or http:// and has no blanks")
    address = urlsplit(template)
    if _PLACE not in template or _PLACE in address.netloc:
        raise ValueError("has no {id} behind the host's name")
    if re.search(r"[{}]", template.replace(_PLACE, "")):
        raise ValueError("has braces beside {id}")
    return template


# A connection's key `crm_url_template`: addresses by kind, with `{id}` in each.
Templates = dict[LinkKind, Annotated[str, AfterValidator(_checked)]]
EXAMPLE = {"deal": "https://crm.romashka.example/deals/{id}"}


def is_address(text: str) -> bool:
    """Whether a text is an address that a page may link to: http or https, and a host."""
    if not _ADDRESS.fullmatch(text):
        return False
    try:
        return bool(urlsplit(text).hostname)
    except ValueError:
        return False


@dataclass(frozen=True)
class CrmLinks:
    """The accounts' prefixes and templates; `problem` says why there are none."""

    accounts: Sequence[tuple[str, Mapping[str, str]]] = ()
    problem: str = ""

    def url(self, kind: str, key: object) -> str | None:
        """Where a thing of this kind and key is seen; None where nobody said it."""
        if not isinstance(key, str) or key in ("", "unknown"):
            return None
        # Of prefixes that a key begins with, the longest is its account's.
        fitting = [it for it in self.accounts if key.startswith(it[0])]
        if not fitting:
            return None
        prefix, templates = max(fitting, key=lambda it: len(it[0]))
        kind, own = _of_own(kind, key.removeprefix(prefix))
        template = templates.get(kind)
        return template.replace(_PLACE, quote(own, safe="")) if template and own else None

    def of_row(self, row: Mapping[str, object], keys: Sequence[str] = ()) -> str | None:
        """Where a row of a fact is seen: itself by its `keys`, else its deal, lead or contact."""
        order = [*(key for key in keys if key in _KEYS), *_KEYS]
        for column in dict.fromkeys(order):
            found = self.url(_KEYS[column], row.get(column))
            if found:
                return found
        return None


def crm_links(settings: Settings) -> CrmLinks:
    """The links of all connections; none, with the reason, where the file has a fault."""
    from orchestration.connectors.registry import all_kinds

    try:
        connections = read_connections(settings, all_kinds())
    except WrongUse as error:
        return CrmLinks(problem=str(error).splitlines()[0])
    return CrmLinks([(it.prefix, it.page_urls) for it in connections.values() if it.page_urls])


class CurrentLinks:
    """The links as connections.yml has them now, read again where it changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: tuple[object, CrmLinks] | None = None

    def __call__(self) -> CrmLinks:
        """The links."""
        try:
            state = os.stat(self._settings.connections_file)
            stamp: object = (state.st_mtime_ns, state.st_size, state.st_ino)
        except OSError:
            stamp = None
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, crm_links(self._settings))
        return self._known[1]


def _of_own(kind: str, own: str) -> tuple[str, str]:
    """The thing that has a page: a company for its contact, a deal for what it tells of."""
    if kind == "contact":
        found = _OF_OTHERS.fullmatch(own)
        return (_OTHERS[found[1]], found[2]) if found else (kind, own)
    of_deal = _OF_DEAL.fullmatch(own) if kind in ("meeting", "payment") else None
    return ("deal", of_deal[1]) if of_deal else (kind, own)
