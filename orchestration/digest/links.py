"""Links into the page, with the filters that a line is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode


@dataclass(frozen=True)
class Page:
    """Where the page is and in which language it opens; `url` is empty where nobody serves it."""

    url: str
    language: str

    def link(
        self, screen: str, grain: str = "", period: date | None = None, manager: str = ""
    ) -> str:
        """The address of a screen; empty where there is no page.

        The form is that of `address` in `orchestration/dashboard/js/20-state.js`.
        """
        if not self.url:
            return ""
        given = {
            "grain": grain,
            "period": period.isoformat() if period and grain else "",
            "manager": manager,
            "lang": self.language,
        }
        query = urlencode({key: value for key, value in given.items() if value})
        return f"{self.url}#{screen}?{query}"
