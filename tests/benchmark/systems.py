"""Systems with millions of rows, each a stand-in in a process of its own.

`python -m tests.benchmark.systems asterisk 1000000 WORK` serves a table of call records,
`amocrm 200000` an account of deals with their history, and any other kind the small company of the
tests. The process says its keys on its first line, ends with its standard input, and then says what
it was asked and how much processor time it took to answer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mysql_mimic.results import ResultColumn, ResultSet
from mysql_mimic.types import ColumnType

from tests.connectors.adapter import all_adapters
from tests.standins.amocrm import PIPELINE, STATUS, AmocrmStandIn, Json, company_store
from tests.standins.asterisk import COLUMNS, NUMBERS, ZONE, CdrServer, portable
from tests.standins.company import LINE, small_company
from tests.standins.server import Reply, Request, json_reply

# Two years, as long as the benchmark's own zones.
END = datetime(2026, 3, 1, tzinfo=UTC)
BEGIN = END - timedelta(days=730)
EXTENSIONS = {str(100 + number): str(7001 + number) for number in range(40)}
_HOUR = 3_600
_PATH = ("new", "contact", "meeting", "contract")


class CallTable(CdrServer):
    """A table of so many call records in a file, written once."""

    def __init__(self, records: int, work: Path) -> None:
        super().__init__(lambda: ())
        file = work / f"cdr-{records}.sqlite"
        if not file.is_file():
            _write_calls(file, records)
        self._file = sqlite3.connect(file, check_same_thread=False)

    def answer(self, sql: str) -> ResultSet:
        """Rows from the file."""
        self.requests.append(sql)
        found = self._file.execute(portable(sql))
        columns = [
            ResultColumn(it[0], ColumnType.LONGLONG if it[0] in NUMBERS else ColumnType.VARCHAR)
            for it in found.description
        ]
        return ResultSet(rows=found.fetchall(), columns=columns)


def _write_calls(file: Path, records: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with sqlite3.connect(draft) as table:
        names = ", ".join(COLUMNS)
        table.execute(f"create table cdr ({names})")
        places = ", ".join("?" * len(COLUMNS))
        table.executemany(f"insert into cdr values ({places})", _call_records(records))
        table.execute("create index by_time on cdr (calldate)")
    table.close()
    os.replace(draft, file)


def _call_records(records: int) -> Iterator[Sequence[Any]]:
    """Of ten conversations six come in and are answered at once, three go out, one is queued."""
    written = number = 0
    step = (END - BEGIN) / records
    while written < records:
        number += 1
        begin = BEGIN + step * written
        for row in _conversation(number, begin)[: records - written]:
            yield [row.get(name, "") for name in COLUMNS]
            written += 1


def _conversation(number: int, begin: datetime) -> list[dict[str, Any]]:
    customer = f"7999{number % 300_000:07d}"
    extension = str(100 + number % 40)
    linked = f"{int(begin.timestamp())}.{number}"
    trunk = f"PJSIP/trunk-a-{number:08x}"
    phone = f"PJSIP/{extension}-{number:08x}"
    common = {
        "dcontext": "ext-local",
        "amaflags": 3,
        "linkedid": linked,
        "uniqueid": linked,
        "clid": f'"{customer}" <{customer}>',
        "lastapp": "Dial",
        "recordingfile": f"rec-{number}.wav",
    }
    talk = (number * 7) % 400 if number % 4 else 0

    def record(place: int, after: int, seconds: int, talk: int, **values: Any) -> dict[str, Any]:
        at = begin + timedelta(seconds=after)
        return {
            **common,
            "calldate": f"{at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}",
            "duration": seconds,
            "billsec": talk,
            "disposition": "ANSWERED" if talk else "NO ANSWER",
            "sequence": number * 10 + place,
            **values,
        }

    if number % 10 < 3:
        return [record(0, 0, talk + 15, talk, src=LINE, dst=f"8{customer[1:]}", channel=phone,
                       dstchannel=trunk, outbound_cnum=LINE)]  # fmt: skip
    if number % 10 < 9:
        return [record(0, 0, talk + 12, talk, src=customer, dst=extension, did=LINE, channel=trunk,
                       dstchannel=phone)]  # fmt: skip
    local = f"Local/{extension}@from-queue-{number:08x}"
    ends: dict[str, Any] = {"src": customer, "did": LINE}
    first = record(0, 0, talk + 30, talk + 28, dst="800", lastapp="Queue", channel=trunk,
                   dstchannel=f"{local};1" if talk else "", **ends)  # fmt: skip
    rings = [
        record(place, place * 5, talk + 25 if place == 2 else 10, talk if place == 2 else 0,
               dst=extension, channel=f"{local};2", dstchannel=phone,
               **{**ends, "uniqueid": f"{int(begin.timestamp()) + place}.{number}"})
        for place in (1, 2)
    ]  # fmt: skip
    return [first, *rings]


class Deals(AmocrmStandIn):
    """An account of so many deals, each with two to six changes of stage; a contact has ten.

    Rows are made from their numbers when they are asked for; lists are in the order of their times.
    """

    def __init__(self, deals: int) -> None:
        store = company_store(small_company())
        super().__init__(lambda: store)
        self._begin = int(BEGIN.timestamp())
        self._end = int(END.timestamp())
        self._step = (self._end - self._begin) / deals
        self._deals = range(deals)
        events = sorted(
            (at, number, place)
            for number in self._deals
            for place, (at, _) in enumerate(self._moves(number))
        )
        leads = sorted((max(self._changed(it), self._created(it)), it) for it in self._deals)
        contacts = [(self._created(10 * it), it) for it in range((deals + 9) // 10)]
        self._lists: dict[str, tuple[list[int], list[Any]]] = {
            "events": ([it[0] for it in events], events),
            "leads": ([it[0] for it in leads], leads),
            "contacts": ([it[0] for it in contacts], contacts),
        }

    def answer(self, request: Request) -> Reply:
        """The large lists by their times, everything else as the small company's account."""
        name = request.path.rpartition("/")[2]
        query = request.query
        if request.path == "/oauth2/access_token" or name not in self._lists:
            if name in ("companies", "tasks", "unsorted"):
                return Reply(204)
            return super().answer(request)
        if name == "events" and "lead_status_changed" not in query.get("filter[type]", ""):
            return Reply(204)
        if query.get("with") == "only_deleted":
            return Reply(204)
        column = "created_at" if name == "events" else "updated_at"
        times, rows = self._lists[name]
        low = bisect_left(times, int(query.get(f"filter[{column}][from]", 0)))
        high = bisect_right(times, int(query.get(f"filter[{column}][to]", self._end)))
        limit, page = int(query["limit"]), int(query["page"])
        first, last = low + (page - 1) * limit, min(high, low + page * limit)
        # Events come newest first.
        chosen = rows[first:last]
        if name == "events":
            last = max(low, high - (page - 1) * limit)
            chosen = rows[max(low, last - limit) : last][::-1]
        elif "order[id]" in query:
            chosen = sorted(rows[:limit], key=lambda it: it[1])
        if not chosen:
            return Reply(204)
        links = {"next": {"href": "next"}} if low + page * limit < high else {}
        made = {"events": self._event, "leads": self._lead, "contacts": self._contact}[name]
        return json_reply({"_links": links, "_embedded": {name: [made(*it) for it in chosen]}})

    def _created(self, number: int) -> int:
        return self._begin + int(number * self._step)

    def _moves(self, number: int) -> list[tuple[int, str]]:
        """When a deal came into which stage after its first."""
        created, count = self._created(number), 2 + number % 5
        ends = ("won", "lost") if count < 5 else ("contact", "won")
        stages = [_PATH[(place + 1) % 4] for place in range(count - 1)] + [ends[number % 2]]
        gap = (13 + number % 7 * 9) * _HOUR
        moves = [(created + gap * place, stage) for place, stage in enumerate(stages, 1)]
        return [it for it in moves if it[0] < self._end]

    def _changed(self, number: int) -> int:
        return max((at for at, _ in self._moves(number)), default=0)

    def _event(self, at: int, number: int, place: int) -> Json:
        stages = ["new", *(stage for _, stage in self._moves(number))]

        def side(stage: str) -> list[Json]:
            return [{"lead_status": {"id": STATUS[stage], "pipeline_id": PIPELINE}}]

        return {
            "id": f"01k{number:08d}{place}",
            "type": "lead_status_changed",
            "entity_id": 50_000 + number,
            "entity_type": "lead",
            "created_by": 7001 + number % 3,
            "created_at": at,
            "value_before": side(stages[place]),
            "value_after": side(stages[place + 1]),
            "account_id": 30000001,
        }

    def _lead(self, at: int, number: int) -> Json:
        moves = self._moves(number)
        stage = moves[-1][1] if moves else "new"
        return {
            "id": 50_000 + number,
            "name": f"Сделка {number}",
            "price": 1_000 + number % 500 * 100,
            "responsible_user_id": 7001 + number % 3,
            "status_id": STATUS[stage],
            "pipeline_id": PIPELINE,
            "created_by": 7001 + number % 3,
            "created_at": self._created(number),
            "updated_at": at,
            "closed_at": at if stage in ("won", "lost") else None,
            "is_deleted": False,
            "custom_fields_values": [
                {"field_id": 9101, "field_name": "utm_source", "field_code": "UTM_SOURCE",
                 "field_type": "tracking_data", "values": [{"value": "yandex"}]}
            ],
            "_embedded": {
                "tags": [],
                "contacts": [{"id": 600_000 + number // 10, "is_main": True}],
                "companies": [],
                "loss_reason": [{"id": 401, "name": "Дорого"}] if stage == "lost" else [],
                "source": {"id": 301, "name": "Сайт"},
            },
        }  # fmt: skip

    def _contact(self, at: int, number: int) -> Json:
        return {
            "id": 600_000 + number,
            "name": f"Контакт {number}",
            "created_at": at,
            "updated_at": at,
            "is_deleted": False,
            "custom_fields_values": [
                {"field_id": 9001, "field_code": "PHONE", "field_type": "multitext",
                 "values": [{"value": f"+7999{number:07d}", "enum_code": "WORK"}]}
            ],
            "_embedded": {"companies": []},
        }  # fmt: skip


ASTERISK_KEYS: Mapping[str, Any] = {
    "kind": "asterisk_sql",
    "dsn": "env:CDR_DSN",
    "timezone": "Europe/Moscow",
    "trunks": ["PJSIP/trunk-*"],
    "extensions": EXTENSIONS,
    "start_date": f"{BEGIN:%Y-%m-%d}",
}


def serve(system: str, rows: int, work: Path) -> None:
    """Serve until the standard input ends; keys first, then what it took."""
    adapters = {it.kind: it for it in all_adapters()}
    with ExitStack() as running:
        server: Any
        if system == "asterisk_sql" and rows:
            server = running.enter_context(CallTable(rows, work))
            keys, secrets = ASTERISK_KEYS, {"CDR_DSN": server.dsn}
        elif system == "amocrm" and rows:
            server = running.enter_context(Deals(rows))
            adapter = adapters["amocrm"]
            keys, secrets = adapter.keys(server), dict(adapter.secrets())
        else:
            adapter = adapters[system]
            server = running.enter_context(adapter.standin(small_company()))
            keys, secrets = adapter.keys(server), dict(adapter.secrets())
        print(json.dumps({"keys": dict(keys), "secrets": secrets}), flush=True)
        before, begun = _processor(), time.monotonic()
        for line in sys.stdin:
            # Each line is a question: what the time since the last one has cost.
            asked = len(getattr(server, "requests", ()))
            found = {"cpu_seconds": _processor() - before, "requests": asked}
            print(json.dumps({**found, "seconds": time.monotonic() - begun}), flush=True)
            before, begun = _processor(), time.monotonic()
            server.requests.clear()
            assert line


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("rows", type=int)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    serve(arguments.system, arguments.rows, arguments.work)
