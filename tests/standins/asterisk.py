"""Asterisk's call records: the company's calls as a table over MySQL's protocol, and as CSV.

Rows are what Asterisk writes: one for each path between two channels, in the server's local time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from mysql_mimic import IdentityProvider, MysqlServer, NativePasswordAuthPlugin, Session, User
from mysql_mimic.results import ResultColumn, ResultSet
from mysql_mimic.types import ColumnType

from tests.standins.company import LINE, Call, Company, Ring

ZONE = ZoneInfo("Europe/Moscow")
COLUMNS = (
    "calldate", "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata",
    "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield", "did",
    "recordingfile", "outbound_cnum", "linkedid", "peeraccount", "sequence",
)  # fmt: skip
PASSWORD = "cdr-reader-secret"
NUMBERS = ("duration", "billsec", "amaflags", "sequence")

Row = dict[str, Any]


def cdr_rows(company: Company) -> list[Row]:
    """All records of the company's calls that have ended."""
    return [row for call in company.calls for row in _records(call)]


def _records(call: Call) -> list[Row]:
    base = int(call.started_at.timestamp())
    linked = f"{base}.{call.number * 10}"
    trunk = f"PJSIP/trunk-a-{call.number:08x}"
    shared = {"linkedid": linked, "src": call.customer, "did": LINE}
    if call.direction == "out":
        ring = call.rings[0]
        return [
            _record(
                call,
                ring.after,
                ring.seconds,
                ring.talk,
                _phone(ring.extension, 0x500 + call.number),
                trunk,
                sequence=0,
                uniqueid=linked,
                **_busy(ring),
                src=LINE,
                outbound_cnum=LINE,
                dst="8" + call.customer[1:],
                lastapp="Dial",
                linkedid=linked,
                did="",
            )
        ]
    rows = []
    if call.queue or not call.rings:
        answered = next((it for it in call.rings if it.talk), None)
        there = f"Local/{answered.extension}@from-queue-{call.number:08x};1" if answered else ""
        rows.append(
            _record(call, 0, call.seconds, max(0, call.seconds - 2), trunk, there, sequence=0,
                    uniqueid=linked, dst=call.queue or "s",
                    lastapp="Queue" if call.queue else "BackGround",
                    recordingfile=f"q-{call.number}.wav" if answered else "", **shared)
        )  # fmt: skip
    for place, ring in enumerate(call.rings, 1):
        channel = trunk
        if call.queue:
            channel = f"Local/{ring.extension}@from-queue-{call.number:08x};2"
        unique = f"{base + ring.after}.{call.number * 10 + place}" if call.queue else linked
        rows.append(
            _record(call, ring.after, ring.seconds, ring.talk, channel,
                    _phone(ring.extension, call.number * 16 + place), sequence=place,
                    uniqueid=unique, dst=ring.extension, lastapp="Dial", **_busy(ring),
                    **shared)
        )  # fmt: skip
    return rows


def _busy(ring: Ring) -> dict[str, str]:
    return {"disposition": "BUSY"} if ring.is_busy else {}


def _phone(extension: str, number: int) -> str:
    return f"PJSIP/{extension}-{number:08x}"


def _record(
    call: Call, after: int, seconds: int, talk: int, channel: str, there: str, sequence: int,
    **values: str,
) -> Row:  # fmt: skip
    begin = call.started_at + timedelta(seconds=after)
    row: Row = dict.fromkeys(COLUMNS, "")
    row |= {
        "calldate": begin.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        "clid": f'"{call.customer}" <{call.customer}>',
        "dcontext": "ext-local",
        "channel": channel,
        "dstchannel": there,
        "duration": seconds,
        "billsec": talk,
        "disposition": "ANSWERED" if talk else "NO ANSWER",
        "amaflags": 3,
        "sequence": call.number * 100 + sequence,
        **values,
    }
    return row


class CdrServer:
    """A MySQL server on loopback with the one table; `requests` are its queries."""

    def __init__(
        self, rows: Callable[[], Iterable[Row]], types: Mapping[str, ColumnType] | None = None
    ) -> None:
        self.requests: list[str] = []
        self.always: Callable[[Any], Any] | None = None
        self.faults: dict[int, Any] = {}
        self._rows = rows
        self._types = types or {}
        self._lock = threading.Lock()

    @property
    def dsn(self) -> str:
        return f"mysql://reader:{PASSWORD}@127.0.0.1:{self._port}/asteriskcdrdb"

    def answer(self, sql: str) -> ResultSet:
        with self._lock:
            self.requests.append(sql)
            if self.always is not None:
                self.always(sql)
            with sqlite3.connect(":memory:") as memory:
                names = ", ".join(f'"{it}"' for it in COLUMNS)
                memory.execute(f"create table cdr ({names})")
                places = ", ".join("?" * len(COLUMNS))
                memory.executemany(
                    f"insert into cdr values ({places})",
                    [[row[it] for it in COLUMNS] for row in self._rows()],
                )
                found = memory.execute(portable(sql))
                described = [it[0] for it in found.description]
                columns = [ResultColumn(it, self._type(it)) for it in described]
                return ResultSet(rows=found.fetchall(), columns=columns)

    def _type(self, name: str) -> ColumnType:
        if name in self._types:
            return self._types[name]
        return ColumnType.LONGLONG if name in NUMBERS else ColumnType.VARCHAR

    def __enter__(self) -> Self:
        server = self

        class CdrSession(Session):
            async def query(self, expression: Any, sql: str, attrs: Any) -> ResultSet:
                return await asyncio.to_thread(server.answer, sql)

        class Reader(IdentityProvider):
            def get_plugins(self) -> list[Any]:
                return [NativePasswordAuthPlugin()]

            async def get_user(self, username: str) -> User | None:
                if username != "reader":
                    return None
                return User(
                    name=username,
                    auth_string=NativePasswordAuthPlugin.create_auth_string(PASSWORD),
                    auth_plugin=NativePasswordAuthPlugin.name,
                )

        ready = threading.Event()

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            listening = MysqlServer(
                session_factory=CdrSession, identity_provider=Reader(), host="127.0.0.1", port=0
            )
            await listening.start_server()
            self._port = listening.sockets()[0].getsockname()[1]
            ready.set()
            await self._stop.wait()
            listening.close()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=5)


def portable(sql: str) -> str:
    """MySQL's spelling in that of the engine below."""
    return sql.replace("AS CHAR)", "AS TEXT)").replace("`", '"')


def write_csv(
    path: Path, rows: Iterable[Row], is_custom: bool = False, zone: ZoneInfo = ZONE
) -> None:
    """Records as one of the two orders of columns, in the order in which they ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = sorted(rows, key=lambda it: (_end(it), it["sequence"]))
    path.write_text("".join(_line(row, is_custom, zone) for row in done), encoding="utf-8")


def _end(row: Row) -> datetime:
    begin = datetime.fromisoformat(row["calldate"])
    return begin + timedelta(seconds=int(row["duration"]))


def _line(row: Row, is_custom: bool, zone: ZoneInfo) -> str:
    begin = datetime.fromisoformat(row["calldate"]).replace(tzinfo=ZONE).astimezone(zone)
    end = begin + timedelta(seconds=int(row["duration"]))
    answer = end - timedelta(seconds=int(row["billsec"])) if row["billsec"] else None
    values = {
        **{name: str(row[name]) for name in COLUMNS},
        "start": f"{begin:%Y-%m-%d %H:%M:%S}",
        "answer": f"{answer:%Y-%m-%d %H:%M:%S}" if answer else None,
        "end": f"{end:%Y-%m-%d %H:%M:%S}",
        "amaflags": "DOCUMENTATION",
    }
    first = ("src", "dst", "dcontext")
    middle = ("channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
              "duration", "billsec", "disposition", "amaflags")  # fmt: skip
    names = ("accountcode", *first, "clid", *middle, "uniqueid", "userfield", "peeraccount",
             "linkedid", "sequence")  # fmt: skip
    if is_custom:
        names = ("clid", *first, *middle, "accountcode", "uniqueid", "userfield", "sequence")
    bare = ("duration", "billsec", "sequence")
    return ",".join(_field(values[it], it in bare) for it in names) + "\n"


def _field(value: str | None, is_bare: bool) -> str:
    if value is None:
        return ""
    return value if is_bare else '"' + value.replace('"', '""') + '"'
