"""What is printed: no control character of a text reaches the terminal, no encoding stops it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from orchestration.base.record import Failure
from orchestration.base.terminal import Screen, escape, visible
from orchestration.cli.screen import show_failure
from tests.conftest import ROOT, clean_environment

# Titles, the clipboard, a cleared screen, a bell, C1's escapes, and what turns the direction.
ATTACK = "\x1b]52;c;eA==\x1b\\\x1b[2J\x07\x9b31m\x9d0;t\x9c\u202eevil\u2066\u2028\ufeffz\x7f\r\x00"
SHOWN = "␛]52;c;eA==␛\\␛[2J␇<U+009B>31m<U+009D>0;t<U+009C><U+202E>evil<U+2066><U+2028><U+FEFF>z␡␍␀"


def printed(*things: object, **options: object) -> str:
    stream = io.StringIO()
    screen = Screen(file=stream, width=200, force_terminal=True, highlight=False)
    for thing in things:
        screen.print(thing, **options)
    return stream.getvalue()


def test_what_a_terminal_would_obey_is_shown() -> None:
    assert visible(ATTACK) == SHOWN
    assert visible("a\tb\nc", keep="\t\n") == "a\tb\nc"
    assert visible("Ёлка “x” 👩\u200d💻 naïve") == "Ёлка “x” 👩\u200d💻 naïve"


@given(st.text(st.characters(), max_size=50))
def test_no_control_character_is_left(text: str) -> None:
    bad = {"Cc", "Cs", "Zl", "Zp"}
    assert not [sign for sign in visible(text) if unicodedata.category(sign) in bad]
    plain = [sign for sign in text if unicodedata.bidirectional(sign) not in ("", "BN")]
    assert visible("".join(plain)) == visible(visible("".join(plain)))


def test_a_screen_sends_no_control_character_whatever_is_printed() -> None:
    table = Table(ATTACK)
    table.add_row(Text(ATTACK, style="bold"))
    out = printed(ATTACK, Text(ATTACK), table, Panel(ATTACK, title=escape(ATTACK)))
    for style in ("\x1b[1m", "\x1b[0m"):
        out = out.replace(style, "")
    assert [sign for sign in out if sign != "\n" and visible(sign) != sign] == []
    assert "␛]52;c;eA==␛\\␛[2J" in out


def test_a_text_is_no_markup_and_no_picture() -> None:
    assert escape("[red]\x1b[0m") == "\\[red]␛[0m"
    stream = io.StringIO()
    failure = Failure(f"[red]{ATTACK}", ":bomb: \n[/]", ["a\nb", ATTACK], 1)
    show_failure(Screen(file=stream, width=200, emoji=False), failure)
    assert stream.getvalue() == f"✗ [red]{SHOWN}\n    a␊b\n    {SHOWN}\n→ :bomb: ␊[/]\n"


SAYS = "from orchestration.base.terminal import prepare_streams, screens; prepare_streams(); "


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**clean_environment(), **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-c", SAYS + code],
        env=environment, text=True, check=False, timeout=60, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "✓ → Ёж –…\u2009\u2009<U+DCFF>"),
        ({"PYTHONIOENCODING": "ascii"}, "+ -> ?? -...  <U+DCFF>"),
        ({"PYTHONIOENCODING": "latin-1"}, "+ -> ?? -...  <U+DCFF>"),
        ({"PYTHONIOENCODING": "cp1251"}, "+ -> Ёж –…  <U+DCFF>"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
         "+ -> ?? -...  <U+DCFF>"),
    ],
)  # fmt: skip
def test_what_an_encoding_lacks_is_replaced(env: dict[str, str], shown: str) -> None:
    text = "✓ → Ёж –…\u2009\u2009\udcff"
    code = f"screens()[0].print({text!a})"
    encoding = env.get("PYTHONIOENCODING", "utf-8")
    done = run(code, env={"PYTHONPATH": str(ROOT), **env}, encoding=encoding, stdout=-1)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{shown}\n"


def test_a_reader_that_leaves_stops_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = (
        "screen, _ = screens()\n"
        "for i in range(3): screen.print('x' * 100_000)\n"
        f"open({str(tmp_path / 'end')!r}, 'w').write('came')"
    )
    done = run(code, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "end").read_text() == "came"


def test_streams_that_are_closed_are_none_to_write_to() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" >&-', sys.executable, SAYS + "screens()[0].print('x')"],
        env=clean_environment(), text=True, check=False, timeout=60, capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_log_on_a_full_disk_stops_nothing_and_is_told_at_the_end(tmp_path: Path) -> None:
    code = (
        "from orchestration.base.terminal import finish_streams\n"
        "screen, errors = screens()\n"
        "for i in range(3): screen.print('x' * 100_000)\n"
        "errors.print(finish_streams().strerror)"
    )
    with FULL.open("w") as full:
        done = run(code, stdout=full)
    assert (done.returncode, done.stderr) == (0, "No space left on device\n")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["status"], ["query", "--help"]])
def test_output_to_a_full_disk_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [Path(sys.executable).with_name("voronka"), *arguments], stdout=full, text=True,
            stderr=subprocess.PIPE, check=False, timeout=120,
            env={**clean_environment(), "VORONKA_DATA_DIR": str(tmp_path)},
        )  # fmt: skip
    assert done.returncode == 1
    if arguments != ["status"]:
        # Nothing is published there, which is why it ends with 1.
        assert done.stderr.startswith(
            "✗ The output could not be written: No space left on device.\n→ "
        )
    assert "Traceback" not in done.stderr
