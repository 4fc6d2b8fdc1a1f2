"""What the server writes out in the formats of tables."""

from __future__ import annotations

import pytest

from orchestration.serving.formats import WORKBOOK_ROWS, table_reply
from orchestration.serving.limits import TooMuch


def test_a_workbook_that_would_take_long_is_refused_and_csv_is_not():
    rows = [("a",)] * (WORKBOOK_ROWS + 1)
    said = {"name": ["revenue"], "headings": ["name"], "about": {}}
    with pytest.raises(TooMuch, match="20,000 rows at most") as refused:
        table_reply("xlsx", ["name"], rows, **said)
    assert "Take CSV" in str(refused.value.remedy)
    assert table_reply("csv", ["name"], rows, **said).body.count(b"\n") == len(rows) + 1
