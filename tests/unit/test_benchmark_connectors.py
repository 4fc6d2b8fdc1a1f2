"""The benchmark of connectors: its bounds, its page, and the large stand-ins' rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from orchestration.connectors.clock import Clock
from tests.benchmark import connectors
from tests.benchmark.connectors import FILE, PAGE, PassingClock, Place, page, targets
from tests.benchmark.systems import BEGIN, END, Deals
from tests.standins.server import Request

_IDLE = {"seconds": 9.0, "waited_seconds": 8.0, "cpu_seconds": 1.0, "peak_bytes": 1, "requests": 9}
_RESULTS: dict[str, Any] = {
    "machine": {"cores": 2, "memory_bytes": 2**34, "system": "Linux", "python": "3.11",
                "duckdb": "1.5.5"},
    "on": "2026-11-27",
    "repeats": 1,
    "load": 0.3,
    "first": {
        "amocrm": {
            "rows": 200_000, "written": 400_000, "seconds": 100.0, "cpu_seconds": 61.0,
            "system_cpu_seconds": 30.5, "peak_bytes": 400 * 2**20, "requests": 10, "files": 2,
            "raw_bytes": 2**20, "nothing": {**_IDLE, "seconds": 2.0, "waited_seconds": 0.0},
        }
    },
    "nothing": {"mango": _IDLE},
}  # fmt: skip


def test_the_page_says_what_the_file_beside_it_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(FILE.read_text(encoding="utf-8")))


def test_bounds_are_of_our_work_and_not_of_the_systems_pace() -> None:
    found = {it.label: (it.value, it.is_met) for it in targets(_RESULTS)}
    assert found == {
        "amocrm: 200,000 deals, our processor time": (61.0, False),
        "amocrm: 200,000 deals, memory": (400 * 2**20, True),
        "amocrm: 200,000 deals, then nothing new": (2.0, True),
        "mango: nothing new": (1.0, True),
    }


def test_the_page_shows_each_figure_of_its_bound_and_of_the_systems_work() -> None:
    text = page(_RESULTS)
    assert (
        "| amocrm: 200,000 deals, our processor time | ≤ 60.0 s | 61.0 s | 102% | **missed** |"
        in text
    )
    assert "| our work for a row | 152 µs |" in text
    assert "| our work, of the system's | 2.00× |" in text
    assert "| mango | 9.0 s | 8.0 s | 1.0 s | 0 MB | 9 |" in text


def test_waits_pass_at_once_and_count() -> None:
    clock, real = PassingClock(), Clock()
    begun, truly = clock.monotonic(), real.monotonic()
    clock.sleep(1_000)
    assert clock.monotonic() - begun >= 1_000
    assert real.monotonic() - truly < 100
    assert clock.slept == 1_000


def test_the_large_account_gives_each_event_and_each_deal_once() -> None:
    system = Deals(50)
    times = {"from": str(int(BEGIN.timestamp())), "to": str(int(END.timestamp()))}

    def rows(name: str, column: str, limit: int, **more: str) -> list[Any]:
        found: list[Any] = []
        span = {f"filter[{column}][{edge}]": at for edge, at in times.items()}
        for number in range(1, 100):
            query = {**span, **more, "limit": str(limit), "page": str(number)}
            headers = {"authorization": "Bearer long-lived-secret-token"}
            reply = system.answer(Request("GET", f"/api/v4/{name}", query, headers, b""))
            if reply.status == 204:
                return found
            found += json.loads(reply.body)["_embedded"][name]
        raise AssertionError("there is no end")

    leads = rows("leads", "updated_at", 7)
    assert sorted(it["id"] for it in leads) == list(range(50_000, 50_050))
    assert [it["updated_at"] for it in leads] == sorted(it["updated_at"] for it in leads)
    events = rows("events", "created_at", 9, **{"filter[type]": "lead_status_changed"})
    assert len({it["id"] for it in events}) == len(events)
    moves = Counter(it["entity_id"] for it in events)
    assert max(moves.values()) == 6
    last = {it["entity_id"]: it["value_after"] for it in reversed(events)}
    for lead in leads:
        if lead["id"] in last:
            assert last[lead["id"]][0]["lead_status"]["id"] == lead["status_id"]


def test_a_place_holds_one_connection_and_its_secrets_only_in_the_environment(
    tmp_path: Path,
) -> None:
    said = {"keys": {"kind": "amocrm", "long_lived_token": "env:TOKEN"}, "secrets": {"TOKEN": "x"}}
    place = Place.of(tmp_path / "place", said)
    assert json.loads((place.root / "connections.yml").read_text()) == {
        connectors.NAME: said["keys"]
    }
    assert place.environment(END)["TOKEN"] == "x"
