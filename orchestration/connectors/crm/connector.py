"""What all CRMs' connectors do alike with the keys of their connection."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TypeVar

from orchestration.connectors.connector import Connector
from orchestration.connectors.crm.keys import CrmConnection
from orchestration.connectors.crm.rules import folded

K = TypeVar("K", bound=CrmConnection)


class CrmConnector(Connector[K]):
    """One connection to a CRM at work."""

    def id(self, value: str | None) -> str | None:
        """An id with the connection's prefix."""
        return self.connection.prefixed(value)

    def channel(self, *names: str | None) -> str | None:
        """The channel that the keys give a source, by its id or name."""
        channels = self._channels
        return next((channels[folded(it)] for it in names if it and folded(it) in channels), None)

    @cached_property
    def _channels(self) -> Mapping[str, str]:
        return {folded(key): it for key, it in self.connection.source_channels.items()}

    def warn_of_payments(self) -> None:
        """Say in the report what the key `payments_from` leaves open."""
        chosen = self.connection.payments_from
        if chosen is None:
            *others, last = self.connection.payment_origins
            self.work.report.warn(
                "payments_from is not set: no payments are written. Set it to "
                f"{', '.join(others)} or {last}."
            )
        if chosen == "won_deals":
            self.work.report.warn("payments_from is won_deals: revenue means deals won, not paid.")
