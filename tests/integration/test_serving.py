"""The server as a process: its start, clients that misbehave, new publications, its end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from orchestration.base.settings import Settings
from tests.conftest import ROOT, clean_environment, voronka
from tests.unit.serving_company import publish

SECRET = "a secret of the tests that is long enough to sign with"
# Enough for an answer of megabytes.
MANY = (
    "insert into marts.fct_deals select 'x' || i, 'm1', 'web', 0, date '2026-01-01', 'y' "
    "from range(60000) as t(i)"
)


@dataclass
class Running:
    """A server's process, where it listens, and what is published there."""

    process: subprocess.Popen[bytes]
    port: int
    settings: Settings
    log: Path

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, address: str, **headers: str) -> tuple[int, Any]:
        connection = self.connect()
        try:
            connection.request("GET", address, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    return {
        "VORONKA_DATA_DIR": str(settings.data),
        "VORONKA_PROJECT_DIR": str(settings.root),
        # A loaded machine is no reason for a test to fail.
        "VORONKA_SERVE_SECONDS": "120",
        **more,
    }


def start(settings: Settings, **more: str) -> Running:
    log = settings.data / "serve.log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "serve", "--port", "0"],
            env={**clean_environment(), **environment(settings, **more)},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=written,
        )
    for _ in range(1_200):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return Running(process, int(found[1]), settings, log)
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    process.kill()
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Running]:
    running = start(publish(tmp_path_factory.mktemp("company"), "p0", MANY))
    yield running
    running.process.terminate()
    assert running.process.wait(timeout=60) == 0, running.log.read_text()


@pytest.fixture(scope="module")
def silent(server) -> Iterator[list[socket.socket]]:
    """Clients that begin a request and say no more, for as long as they are let."""
    opened = [server.socket() for _ in range(200)]
    for each in opened:
        each.sendall(b"GET /api/publication HTTP/1.1\r\nHost: local")
    yield opened
    for each in opened:
        each.close()


def test_it_says_where_it_is_and_who_is_let_in(server):
    assert "who may see what: open" in server.log.read_text()
    assert server.ask("/api/publication")[0] == 200


def test_two_hundred_silent_clients_keep_nobody_out(server, silent):
    status, found = server.ask("/api/query?metrics=deals")
    assert (status, found["rows"]) == (200, [[60_003]])


def test_an_answer_is_of_one_publication_whatever_is_published_meanwhile(server, silent):
    """Every publication has its own amount, twice: in its name, and in two metrics' figures."""
    answers: list[tuple[str, list[list[float]]]] = []
    failures: list[str] = []
    is_over = threading.Event()

    def poll() -> None:
        connection = server.connect()
        while not is_over.is_set():
            connection.request("GET", "/api/query?metrics=deals_amount,ad_spend")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                found = json.loads(body)
                answers.append((found["publication_id"], found["rows"]))
            else:
                failures.append(body.decode())

    pollers = [threading.Thread(target=poll) for _ in range(4)]
    for each in pollers:
        each.start()
    for number in range(1, 9):
        publish(
            server.settings.data,
            f"p{number}",
            f"{MANY}; update marts.fct_deals set amount = 0; "
            f"update marts.fct_deals set amount = {number} where deal_id = 'd1'; "
            f"update marts.fct_ad_spend set spend = {number}",
        )
        time.sleep(0.2)
    time.sleep(0.5)
    is_over.set()
    for each in pollers:
        each.join(timeout=60)
    assert failures == []
    # What the first publication says is another thing.
    later = [(name, rows) for name, rows in answers if name != "p0"]
    assert [it for it in later if it[1] != [[int(it[0][1:])] * 2]] == []
    assert len({name for name, _ in later}) > 1
    assert server.ask("/api/publication")[1]["publication_id"] == "p8"


def test_clients_that_leave_in_the_middle_of_an_answer_are_no_trouble(server):
    for _ in range(20):
        with server.socket() as client:
            client.sendall(
                b"GET /api/query?metrics=deals&by=deal HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            client.recv(1_000)
    status, found = server.ask("/api/query?metrics=deals&by=deal&limit=1")
    assert (status, len(found["rows"])) == (200, 1)
    assert "Traceback" not in server.log.read_text()


def test_a_request_without_end_is_cut_off(server):
    with server.socket() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with pytest.raises(OSError):
            for _ in range(10_000):
                client.sendall(b"X-Long: " + b"x" * 10_000 + b"\r\n")
    assert server.ask("/api/publication")[0] == 200


def test_what_is_no_http_is_refused(server):
    with server.socket() as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_the_log_has_a_line_for_each_request_and_no_parameters(server):
    server.ask("/api/query?metrics=deals&where=manager='s3cret'", Authorization="Bearer t0ken")
    for _ in range(50):
        lines = server.log.read_text()
        if "GET /api/query" in lines:
            break
        time.sleep(0.1)
    assert re.search(r"local GET /api/query 200 [\d.]+ ms \d+ B", lines)
    assert "s3cret" not in lines
    assert "t0ken" not in lines


def test_silent_clients_are_given_up(server, silent):
    for each in silent:
        each.settimeout(60)
        with pytest.raises(ConnectionResetError):
            if each.recv(1) == b"":
                raise ConnectionResetError


def test_who_stops_it_gets_the_answers_that_are_asked_for(tmp_path):
    running = start(publish(tmp_path, "last", MANY), VORONKA_SERVE_SECRET=SECRET)
    try:
        done = voronka(
            "token", "anna", env=environment(running.settings, VORONKA_SERVE_SECRET=SECRET)
        )
        assert done.returncode == 0, done.stderr
        headers = {"Authorization": f"Bearer {done.stdout.strip()}"}
        assert running.ask("/api/publication")[0] == 401
        assert running.ask("/api/publication", **headers)[1]["viewer"]["managers"] == ["m1"]
        connection = running.connect()
        # It has to be planned first, which takes a while.
        connection.request("GET", "/api/query?metrics=deals&by=deal", headers=headers)
        time.sleep(0.2)
        running.process.send_signal(signal.SIGTERM)
        answer = connection.getresponse()
        assert len(json.loads(answer.read())["rows"]) == 60_001
        assert running.process.wait(timeout=60) == 0
        assert running.log.read_text().endswith("stopped\n")
    finally:
        running.process.kill()


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        (["--host", "0.0.0.0"], {}, "is reached from other machines, and nothing says who asks"),
        ([], {"VORONKA_SERVE_SECRET": "short"}, "has fewer than 32 bytes"),
        ([], {"VORONKA_SERVE_IDENTITY_HEADER": "X-Role"}, "no proxy is trusted with it"),
        (
            [],
            {"VORONKA_SERVE_SECRET": SECRET, "VORONKA_SERVE_IDENTITY_HEADER": "X-Role"},
            "are both set",
        ),
        (
            [],
            {"VORONKA_SERVE_IDENTITY_HEADER": "X-Role", "VORONKA_SERVE_PROXY": "everybody"},
            "VORONKA_SERVE_PROXY",
        ),
        (["--host", "203.0.113.1"], {"VORONKA_SERVE_SECRET": SECRET}, "cannot be listened on"),
    ],
)
def test_it_does_not_start_where_nobody_knows_who_asks(tmp_path, arguments, more, said):
    done = voronka(
        "serve", "--port", "0", *arguments, env=environment(Settings(data_dir=tmp_path), **more)
    )
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_a_port_that_is_taken_is_told(server):
    done = voronka("serve", "--port", str(server.port), env=environment(server.settings))
    assert done.returncode == 2
    assert "is taken by another program" in done.stderr


def test_a_token_is_signed_for_roles_that_are_there_and_as_a_link(server):
    env = environment(server.settings, VORONKA_SERVE_SECRET=SECRET)
    done = voronka("token", "anna", "--url", "https://voronka.example.com/", env=env)
    assert done.stdout.startswith("https://voronka.example.com/enter#ey")
    done = voronka("token", "nobody", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no role 'nobody'" in done.stderr
