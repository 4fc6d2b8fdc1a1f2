"""What the command line lets people choose among, and what it says of other words."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.base.errors import WrongUse
from orchestration.cli import app
from tests.conftest import voronka


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["query", "calls", "--lang", "fr"], "'fr' is not one of 'en', 'ru'"),
        (["query", "calls", "--grain", "decade"], "'decade' is not one of 'hour', 'day', 'week'"),
        (["query", "calls", "--compare", "last"], "'last' is not one of 'previous', 'year'"),
        (["query", "calls", "--format", "xml"], "'xml' is not one of 'table', 'csv', 'json'"),
        (["metrics", "--lang", "fr"], "'fr' is not one of 'en', 'ru'"),
        (["metrics", "--group", "money"], "'money' is not one of 'activity', 'funnel'"),
        (["dashboard", "--lang", "fr"], "'fr' is not one of 'en', 'ru'"),
    ],
)
def test_a_word_that_is_none_of_the_choices_is_told(arguments: list[str], error: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert error in " ".join(done.output.replace("│", "").split())


@pytest.mark.parametrize(
    ("command", "choices"),
    [
        ("query", ["<hour|day|week|month|quarter|year>", "<previous|year>", "<en|ru>"]),
        ("metrics", ["<activity|funnel|productivity|result|call_quality>", "<en|ru>"]),
    ],
)
def test_help_lists_the_choices(command: str, choices: list[str]) -> None:
    text = voronka(command, "--help", env={"COLUMNS": "200"}).stdout
    assert [choice for choice in choices if choice not in text] == []


@pytest.mark.parametrize("name", ["answer", "answer.xls", "answer.table"])
def test_a_file_that_names_no_format_is_refused(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["query", "calls", "--output", str(tmp_path / name)])
    assert isinstance(done.exception, WrongUse)
    assert str(done.exception) == (
        f"{tmp_path / name}: its suffix names no format.\n"
        "Give it one of .csv, .json, .xlsx, .parquet, or say --format."
    )
