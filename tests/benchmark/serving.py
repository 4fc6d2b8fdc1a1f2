"""How long the server's answers take, for one reader and for sixteen at once.

Readers are processes, each with a connection that stays open, as a browser has. They ask what a
dashboard asks, over and over, as people do who look at the same screens; and, apart from that,
days that nobody has asked for before.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from tests.benchmark import readers
from tests.benchmark.processes import ROOT, voronka
from tests.benchmark.readers import Case, Latency, by_question, percentiles, seconds_of
from tests.benchmark.refreshes import Warehouse

CASES = (
    Case("1 reader", 1, 0.0),
    Case("16 readers, a question a second each", 16, 1.0),
    Case("16 readers without a pause", 16, 0.0),
)
# One reader that never asks for the same days twice.
NEW = Case("1 reader, days that are new", 1, 0.1)
_DAILY = (
    "ask=cube:daily:manager:calls.calls_answered.calls_60s.talk_seconds.meetings_set.revenue"
    ".deals_won.new_customers.won_amount"
)
_FUNNEL = "ask=cube:funnel:stage.pipeline:reached.advanced.lost_here.won_here.still_here"


def questions(start: date, end: date) -> dict[str, str]:
    """Addresses of what a dashboard asks of the days from `start` to before `end`."""
    days = quote(f"metric_time >= '{start}' and metric_time < '{end}'")
    middle = start + (end - start) // 2
    ranges = f"ranges={start}/{middle}/{end}"
    asked = {
        "results by month": "metrics=revenue,deals_won,new_customers,avg_deal_size&grain=month",
        "the year before": f"metrics=revenue,deals_won&grain=month&compare=year&where={days}",
        "managers": f"metrics=revenue,deals_won,win_rate&by=manager&where={days}&order=-revenue",
        "calls by day": f"metrics=calls,calls_answered,talk_minutes&grain=day&where={days}",
        "calls by hour's manager": f"metrics=calls,answer_rate&by=manager&where={days}",
        "sources": f"metrics=leads_created,lead_conversion_rate,revenue&by=source&where={days}",
        "teams by week": f"metrics=meetings_set,meetings_held&by=team&grain=week&where={days}",
        "open pipeline": "metrics=open_deals,open_amount&by=stage&grain=month",
    }
    return {
        **{name: f"/api/query?{text}" for name, text in asked.items()},
        "page: managers": f"/api/page?{ranges}&{_DAILY}",
        "page: funnel": f"/api/page?{ranges}&{_FUNNEL}",
        "page: what it needs": "/api/page?ask=base",
        "is there anything new": "/api/publication",
    }


def last_days(file: Path, days: int) -> tuple[date, date]:
    """The last days that a published file knows of."""
    with duckdb.connect(str(file), read_only=True) as connection:
        row = connection.execute("select as_of_date from quality.publication").fetchone()
    assert row is not None
    end = row[0] + timedelta(days=1)
    return end - timedelta(days=days), end


@contextmanager
def running(warehouse: Warehouse) -> Iterator[int]:
    """The port of a server of the published file, for as long as the block lasts."""
    log = warehouse.data_dir / "serve.log"
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            voronka("serve", "--port", "0"),
            env=warehouse.environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=written,
        )
    try:
        yield _port(log, process)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(1_200):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text(encoding="utf-8"))
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start; see {log}")


def measure(port: int, asked: dict[str, str], case: Case, seconds: float) -> list[Latency]:
    """Ask the questions in turn for so long; the seconds of every answer."""
    return readers.measure(partial(_Reader, port), asked, case, seconds)


def measure_new(port: int, end: date, days: int, seconds: float) -> list[Latency]:
    """Ask of other days each time; the server has planned such questions, and no answer."""
    found: list[Latency] = []
    reader = _Reader(port)
    for address in questions(end - timedelta(days=days), end).values():
        reader.ask(address)
    begun, number = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        number += 1
        start = end - timedelta(days=days + number)
        for name, address in questions(start, start + timedelta(days=30)).items():
            if str(start) in address:
                found.append((name, seconds_of(reader, address)))
                time.sleep(NEW.pause)
    return found


def summary(latencies: Sequence[Latency], names: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of all answers and of each question's."""
    return {
        "questions": len(latencies),
        "all": percentiles([seconds for _, seconds in latencies]),
        "queries": by_question(latencies, names),
    }


class _Reader:
    """A connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, address: str) -> None:
        """Take one whole answer."""
        self._connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{address}: {answer.status} {body[:300]!r}")
