"""Answers and metrics on the screen."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from orchestration.metrics.catalogue import Metric
from orchestration.metrics.query import Answer
from orchestration.metrics.show import show_answer, show_metric, show_metrics

TRICKY = ["дорого [/b]", "[bold]скидка[/bold]", "[red]", ":warning: x", "конец\\"]


def screen() -> Console:
    return Console(file=io.StringIO(), width=100, highlight=False)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("text", TRICKY)
def test_the_crms_text_is_shown_as_it_is(text: str) -> None:
    labels = {"en": text, "ru": text}
    tricky = Metric(
        name=text,
        type="simple",
        labels=labels,
        descriptions=labels,
        unit="count",
        good_direction="up",
        group="result",
        over_time="sum",
        is_zero_of_nothing=True,
        is_bounded=True,
        grains=("day",),
        at_grain={},
        variant_of=None,
    )
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
