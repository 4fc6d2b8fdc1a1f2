"""The questions of docs/bi/queries.sql, by name."""

from __future__ import annotations

import re

from tests.conftest import ROOT

FILE = ROOT / "docs/bi/queries.sql"


def dashboard_queries() -> dict[str, str]:
    """SQL without a final semicolon, in the order of the file."""
    parts = re.split(r"^-- name: (.+)$", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        name.strip(): sql.strip().rstrip(";")
        for name, sql in zip(parts[1::2], parts[2::2], strict=True)
    }
