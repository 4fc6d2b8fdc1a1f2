"""Answers and metrics on the screen."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from orchestration.base.errors import WrongUse
from orchestration.base.terminal import Screen
from orchestration.metrics.catalogue import Metric
from orchestration.metrics.choices import Format
from orchestration.metrics.query import Answer
from orchestration.metrics.show import (
    show_answer,
    show_metric,
    show_metrics,
    write_answer,
    write_json,
    write_parquet,
)

TRICKY = ["дорого [/b]", "[bold]скидка[/bold]", "[red]", ":warning: x", "конец\\"]


def screen() -> Console:
    return Console(file=io.StringIO(), width=100, highlight=False)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def metric(name: str, label: str = "", unit: str = "count") -> Metric:
    labels = {"en": label or name, "ru": label or name}
    return Metric(
        name=name,
        type="simple",
        labels=labels,
        descriptions=labels,
        unit=unit,
        good_direction="up",
        group="result",
        over_time="sum",
        is_zero_of_nothing=True,
        is_bounded=True,
        grains=("day",),
        at_grain={},
        variant_of=None,
    )


@pytest.mark.parametrize("text", TRICKY)
def test_the_crms_text_is_shown_as_it_is(text: str) -> None:
    tricky = metric(text)
    console = screen()
    show_answer(console, Answer(("reason", "calls"), [(text, 3)], {"calls": tricky}), "en")
    heading, row = shown(console).splitlines()
    assert heading.split("  ")[-1].strip() == text
    assert row.startswith(text) and row.endswith(" 3")

    console = screen()
    show_metrics(console, [tricky], "ru")
    assert shown(console).splitlines()[2].count(text) == 3

    console = screen()
    show_metric(console, tricky, [text], text)
    assert shown(console).splitlines() == [
        f"{text}  simple, count, result",
        f"  {text}: {text}",
        f"  {text}: {text}",
        f"  = {text}",
        "  by time: day",
        f"  by: {text}",
    ]


KEYS = ("period", "manager__team", "manager", "manager__name")
FIGURES = {
    "revenue": metric("revenue", "Revenue", "currency"),
    "avg_deal_size": metric("avg_deal_size", "Mean deal size", "currency"),
    "new_customers": metric("new_customers", "New customers"),
}
CALLS = {"calls": metric("calls")}
ROW = (date(2026, 4, 1), "Лидогенерация", "m-04", "Нестерова Ольга", 2476083, 309706, 9)


def table(width: int, *, is_terminal: bool = True) -> list[str]:
    stream = io.StringIO()
    console = Screen(file=stream, width=width, force_terminal=is_terminal, color_system=None)
    show_answer(console, Answer((*KEYS, *FIGURES), [ROW], FIGURES), "en")
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_headings_of_figures_give_way_where_the_screen_is_narrow() -> None:
    keys = "Period      manager__team  manager  manager__name  "
    row = "2026-04-01  Лидогенерация  m-04     Нестерова Ольга  "
    assert table(100) == [
        keys + "    Revenue  Mean deal size  New customers",
        row + "2\u2009476\u2009083         309\u2009706              9",
    ]
    assert table(90) == [
        f"{'Mean deal':>75}",
        keys + "    Revenue         size  New customers",
        row + "2\u2009476\u2009083      309\u2009706              9",
    ]
    narrowest = [
        f"{'Mean':>71}",
        f"{'deal':>71}{'New':>11}",
        keys + "    Revenue     size  customers",
        row + "2\u2009476\u2009083  309\u2009706          9",
    ]
    assert table(82) == table(80) == table(20) == narrowest


def test_a_pipe_has_no_width() -> None:
    assert table(20, is_terminal=False) == table(1_000)


def test_long_keys_are_whole_in_a_pipe_and_on_a_narrow_screen() -> None:
    key = "ключ " * 100 + "end"
    for is_terminal in (True, False):
        stream = io.StringIO()
        console = Screen(file=stream, width=40, force_terminal=is_terminal, color_system=None)
        show_answer(console, Answer(("deal", "calls"), [(key, 3)], CALLS), "en")
        assert stream.getvalue().splitlines()[1] == f"{key}      3"


def test_control_characters_of_keys_are_shown_and_aligned() -> None:
    stream = io.StringIO()
    rows = [("a\x1b]0;t\x07b\nc", 1), ("plain", 2)]
    show_answer(Screen(file=stream), Answer(("name", "calls"), rows, CALLS), "en")
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        "name        calls",
        "a␛]0;t␇b␊c      1",
        "plain           2",
    ]


def test_json_escapes_what_a_terminal_would_obey_and_loses_nothing() -> None:
    text = "=1 \x1b[2J\x9b1m\u202e\U000e0041\ufeff\x7f\u2028Ё\n"
    stream = io.StringIO()
    write_json(Answer(("name", "n"), [(text, Decimal("1.5")), (None, True)], {}), stream)
    assert json.loads(stream.getvalue()) == [{"name": text, "n": 1.5}, {"name": None, "n": True}]
    signs = [sign for sign in stream.getvalue() if not sign.isprintable()]
    assert set(signs) == {"\n"}
    assert "Ё" in stream.getvalue()


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "answer"
    for write in (
        lambda: write_answer(Answer(("a",), [(1,)], {}), Format.JSON, file),
        lambda: write_parquet(pa.table({"a": [1]}), file),
    ):
        with pytest.raises(WrongUse, match="cannot be written: No such file or directory"):
            write()
    write_parquet(pa.table({"a": ["=1\x1b"]}), tmp_path / "answer")
    assert pq.read_table(tmp_path / "answer").to_pylist() == [{"a": "=1\x1b"}]
