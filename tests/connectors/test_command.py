"""`voronka connect` as a person meets it: its words, its exit codes, stopping it, its secrets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors.run import check
from tests.conftest import ROOT, clean_environment, voronka
from tests.connectors.adapter import FIRST
from tests.connectors.adapters.amocrm import TOKEN, Amocrm
from tests.connectors.conftest import Place
from tests.connectors.zone import current
from tests.standins.company import small_company
from tests.standins.server import HTML, Reply, Request, StandIn, json_reply

ADAPTER = Amocrm()


@pytest.fixture
def standin(place: Place) -> Iterator[StandIn]:
    """A CRM that is connected as shop."""
    with ADAPTER.standin(small_company()) as found:
        place.connect("shop", ADAPTER.keys(found), ADAPTER.secrets())
        yield found


def environment(place: Place) -> Mapping[str, str]:
    return {
        "VORONKA_CONNECTIONS": str(place.root / "connections.yml"),
        "VORONKA_DATA_DIR": str(place.data),
        "VORONKA_RAW_DIR": str(place.raw),
        "VORONKA_NOW": FIRST.isoformat(),
    }


def connect(place: Place, *arguments: str) -> tuple[int, str]:
    """The command's exit code and all that it said."""
    done = voronka("connect", *arguments, env=environment(place))
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    return done.returncode, said


def test_the_first_hour_check_run_list(place: Place, standin: StandIn) -> None:
    code, said = connect(place, "check", "shop")
    assert code == 0
    assert "an administrator" in said
    assert not place.raw.exists()
    code, said = connect(place, "run")
    assert code == 0
    assert "crm.deals 5" in said
    assert "requests" in said
    code, said = connect(place, "run", "shop")
    assert (code, "nothing new" in said) == (0, True)
    code, said = connect(place, "list")
    assert code == 0
    assert "well" in said
    assert "read to" in " ".join(said.split())
    assert "0 min old" in said


def test_a_load_with_nothing_new_imports_nothing_that_only_writing_needs(
    place: Place, standin: StandIn
) -> None:
    """It is to take three seconds, and these alone are half of them."""
    assert connect(place, "run")[0] == 0
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "orchestration.cli", "connect", "run", "shop"],
        cwd=ROOT, capture_output=True, text=True, check=True,
        env={**clean_environment(), **environment(place)},
    )  # fmt: skip
    assert "nothing new" in done.stdout + done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "duckdb" in imported
    assert not imported & {"dlt", "pyarrow", "pandas", "numpy"}


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (json_reply({"title": "Unauthorized", "detail": "нет такого ключа"}, 401), 2,
         ("shop: amoCRM, /account: ", "нет такого ключа", "env:AMO_TOKEN")),
        (Reply(403, HTML.body, HTML.headers), 75, ("shop: amoCRM, /account: ", "blocked")),
    ],
)  # fmt: skip
def test_a_failure_names_connection_system_words_and_what_to_do(
    place: Place, standin: StandIn, reply: Reply, code: int, words: tuple[str, ...]
) -> None:
    standin.always = lambda request: reply
    for command in (("run",), ("check", "shop")):
        found, said = connect(place, *command)
        assert found == code
        for word in words:
            assert word in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "shp"), "has no connection shp; it has shop"),
        (("add", "amocrn"), "There is no kind amocrn"),
        (("run", "--from", "yesterday"), "--from yesterday is not a time"),
        (("check", "shop", "plans.xlsx"), "which reads no file like plans.xlsx"),
        (("check", "shop", "--draft"), "A draft is made from a file, and none is named"),
    ],
)
def test_wrong_use_is_said_in_one_line(
    place: Place, standin: StandIn, arguments: tuple[str, ...], said: str
) -> None:
    code, text = connect(place, *arguments)
    assert code == 2
    assert said in " ".join(text.split())
    assert standin.requests == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_cleanly_and_the_next_run_goes_on(
    place: Place, standin: StandIn, number: signal.Signals
) -> None:
    running: list[subprocess.Popen[str]] = []

    def stop(request: Request) -> None:
        if request.path == "/api/v4/tasks" and running[0].poll() is None:
            standin.always = None
            running[0].send_signal(number)

    standin.always = stop
    running.append(
        subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "connect", "run"],
            env={**clean_environment(), **environment(place)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    )
    said, _ = running[0].communicate(timeout=120)
    assert running[0].returncode == 130, said
    assert "Traceback" not in said
    assert "stopped" in said
    assert "voronka connect run" in said
    assert len(current(place.raw, "crm.deals")) == 5
    asked = len(standin.requests)
    code, _ = connect(place, "run")
    assert code == 0
    assert current(place.raw, "crm.meetings")
    assert len(standin.requests) - asked < asked + 10


def test_no_process_is_called_with_a_secret(place: Place, standin: StandIn) -> None:
    lines: list[bytes] = []

    def look(request: Request) -> None:
        if len(standin.requests) % 10 != 5:
            return
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.append(entry.read_bytes())
            except OSError:
                continue

    standin.always = look
    # With options it is a program of its own, and its arguments are there to be seen.
    assert voronka("connect", "run", env=environment(place), cwd=ROOT).returncode == 0
    assert any(b"orchestration.cli" in it for it in lines)
    assert not [it for it in lines if TOKEN.encode() in it]


def test_no_secret_is_said_or_left_after_each_kind_of_failure(
    place: Place, standin: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal that repeats it, an answer and a page that have it, a crash, a dead host."""
    caplog.set_level(0)
    answers: list[Reply | None] = [
        json_reply({"title": "no", "detail": f"token {TOKEN} is over"}, 401),
        json_reply({"id": 1, "_embedded": {"users": TOKEN}}),
        Reply(403, f"<html>{TOKEN}</html>".encode(), {"Content-Type": "text/html"}),
        Reply(503, TOKEN.encode()),
        Reply(302, b"", {"Location": f"https://elsewhere.example/?token={TOKEN}"}),
        None,
    ]
    said: list[Any] = []
    for answer in answers:
        standin.always = lambda request, answer=answer: answer
        outcome = place.run(now=FIRST)
        assert (outcome.failure is None) is (answer is None)
        said.append(outcome)
        said += check(place.settings(FIRST), "shop", clock=place.clock)
    place.connect("shop", {**place.connections["shop"], "base_url": "http://127.0.0.1:9"}, {})
    outcome = place.run(now=FIRST)
    assert outcome.exit_code == 75
    said += [outcome, *check(place.settings(FIRST), "shop", clock=place.clock), caplog.text]
    assert TOKEN not in repr(said)
    for file in place.root.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file


def test_the_command_says_no_secret_that_a_system_repeats(place: Place, standin: StandIn) -> None:
    refusal = json_reply({"title": "no", "detail": f"token {TOKEN} is over"}, 401)
    standin.always = lambda request: refusal
    for command in (("run",), ("check", "shop"), ("list",)):
        _, said = connect(place, *command)
        assert TOKEN not in said


def test_a_failed_connection_shows_and_does_not_stop_the_refresh(
    place: Place, standin: StandIn
) -> None:
    keys = ADAPTER.keys(standin)
    place.connect("bad", {**keys, "prefix": "b-", "long_lived_token": "env:NOT_SET"}, {})
    done = voronka("refresh", "--connect", env=environment(place))
    said = " ".join((done.stdout + done.stderr).split())
    assert "bad: long_lived_token is env:NOT_SET" in said
    assert "crm.deals 5" in said
    assert (place.data / "published/voronka.duckdb").exists(), said


def test_help_has_an_example_of_every_command_and_imports_nothing_heavy(tmp_path: Path) -> None:
    for command in ("add", "list", "check", "run"):
        done = voronka("connect", command, "--help", env={})
        assert f"voronka connect {command}" in done.stdout
    code = (
        "import sys; import orchestration.cli; "
        "print([it for it in ('dlt', 'pyarrow', 'duckdb', 'sqlalchemy', 'requests', 'pydantic') "
        "if it in sys.modules])"
    )
    done: Any = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
