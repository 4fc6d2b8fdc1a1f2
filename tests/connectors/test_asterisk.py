"""Asterisk's samples, and what its two ways of reading have to survive."""

from __future__ import annotations

import csv
import gzip
import shutil
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest
from mysql_mimic.errors import ErrorCode, MysqlError
from mysql_mimic.types import ColumnType

from orchestration.connectors.kinds.asterisk.cel import ChannelEvent, talk_of
from orchestration.connectors.kinds.asterisk.keys import AsteriskSqlConnection
from orchestration.connectors.kinds.asterisk.mapping import Mapper, Record, Sessions
from orchestration.connectors.run import check
from orchestration.connectors.telephony import local_instant
from tests.connectors.adapter import SAMPLES
from tests.connectors.conftest import Place, processes
from tests.connectors.test_dagster import job_of
from tests.connectors.zone import all_rows, current
from tests.postgres import free_port, running_server
from tests.standins.asterisk import COLUMNS, PASSWORD, CdrServer, cdr_rows, write_csv
from tests.standins.company import Call, Ring, at, small_company

FOLDER = SAMPLES / "asterisk"
DUMPED = (*COLUMNS, "cnum", "cnam", "outbound_cnam", "dst_cnam")
NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
KEYS = {
    "prefix": "pbx1",
    "timezone": "Europe/Moscow",
    "trunks": ["PJSIP/trunk-*"],
    "forwards": {"79990000900": "103"},
    "extensions": {"101": "7001", "102": "7002", "103": "7003"},
    "start_date": "2026-11-01",
}


def expected() -> dict[str, dict[str, str | None]]:
    """The rows that the specification gives for the dump; an empty field is NULL."""
    with (FOLDER / "expected_calls_from_sql.csv").open(encoding="utf-8") as file:
        rows = [{name: value or None for name, value in it.items()} for it in csv.DictReader(file)]
    return {str(row["call_id"]): row for row in rows}


def dumped_rows() -> list[dict[str, Any]]:
    """The rows of the dump, read by SQLite."""
    text = (FOLDER / "asterisk_cdr_mysql_dump.sql").read_text(encoding="utf-8")
    create, insert = text.split("CREATE TABLE")[1].split("INSERT INTO")
    names = [line.split("`")[1] for line in create.splitlines() if line.startswith("  `")]
    with sqlite3.connect(":memory:") as memory:
        memory.execute(f"create table cdr ({', '.join(names)})")
        memory.execute(f"INSERT INTO{insert}".replace("`", ""))
        rows = memory.execute("select * from cdr").fetchall()
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**dict.fromkeys(COLUMNS, ""), **row} for row in found]


def calls(raw: Path) -> dict[str, dict[str, Any]]:
    return {str(row["call_id"]): row for row in current(raw, "telephony.calls").values()}


def mapped(rows: Iterable[dict[str, Any]], **keys: Any) -> list[dict[str, Any]]:
    mapper = Mapper(connection(**keys))
    records = [record(it) for it in rows]
    return [row for _, row in mapper.rows(records)]


def record(values: dict[str, Any]) -> Record:
    whole = {**dict.fromkeys(COLUMNS, ""), **{name: str(it) for name, it in values.items()}}
    return Record(whole, list(whole.values()))


def connection(**keys: Any) -> AsteriskSqlConnection:
    return AsteriskSqlConnection.model_validate(
        {"name": "pbx", "kind": "asterisk_sql", "dsn": "env:DSN", **KEYS, **keys}
    )


def test_the_dump_gives_the_expected_rows_through_mysql(place: Place) -> None:
    with CdrServer(dumped_rows) as server:
        place.connect("pbx", {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS},
                      {"DSN": server.dsn})  # fmt: skip
        place.good(now=NOW)
    found, wanted = calls(place.raw), expected()
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert {name: found[key][name] for name in row} == row
    assert {row["queue"] for row in found.values()} == {None, "800"}


def test_what_the_contract_may_count_is_what_people_talked() -> None:
    """The naive sum of billed seconds is 744."""
    rows = mapped(dumped_rows())
    billed = sum(int(it["billsec"]) for it in dumped_rows() if it["disposition"] == "ANSWERED")
    assert billed == 744
    with_person = [it for it in rows if it["extension"] and it["direction"] != "internal"]
    assert sum(int(it["talk_seconds"]) for it in with_person) == 391
    sessions = {it["linked_id"] for it in rows if it["direction"] != "internal"}
    assert len(sessions) == 10


@pytest.mark.parametrize(
    ("file", "zone"),
    [("asterisk_cdr_csv_order.csv", "UTC"), ("asterisk_cdr_custom_order.csv", "Europe/Moscow")],
)
def test_both_orders_of_csv_give_the_same_calls_as_the_table(
    file: str, zone: str, place: Place
) -> None:
    """The files have no dialled number and no outbound caller id; one has no linkedid either."""
    keys = {**KEYS, "kind": "asterisk_csv", "timezone": zone, "path": str(FOLDER / file)}
    place.connect("pbx", keys, {})
    place.good(now=NOW)
    found, wanted = calls(place.raw), expected()
    assert found.keys() == wanted.keys()
    same = ["extension", "disposition", "talk_seconds"]
    if zone == "UTC":
        same += ["direction", "linked_id", "from_number"]
    for key, row in wanted.items():
        assert {name: found[key][name] for name in same} == {name: row[name] for name in same}
        for name in ("started_at", "answered_at", "ended_at"):
            assert _same_moment(found[key][name], row[name])


def test_without_linkedid_records_of_one_channel_are_one_conversation(place: Place) -> None:
    file = FOLDER / "asterisk_cdr_custom_order.csv"
    place.connect("pbx", {**KEYS, "kind": "asterisk_csv", "path": str(file)}, {})
    place.good(now=NOW)
    found = calls(place.raw)
    queue, phone = found["pbx1:1795417200.11-101"], found["pbx1:1795417220.12-102"]
    assert queue["linked_id"] == phone["linked_id"] == "pbx1:1795417200.11"
    assert found["pbx1:1795417220.13-103"]["linked_id"] == "pbx1:1795417220.13"
    group = [found[f"pbx1:1795424400.81-{it}"]["linked_id"] for it in (112, 113, 115)]
    assert group == ["pbx1:1795424400.81"] * 3


def test_a_zone_that_the_uniqueids_contradict_is_refused_with_both_named(place: Place) -> None:
    keys = {**KEYS, "kind": "asterisk_csv", "path": str(FOLDER / "asterisk_cdr_csv_order.csv")}
    place.connect("pbx", keys, {})
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "UTC+0000" in outcome.failure.message
    assert "Europe/Moscow" in outcome.failure.message
    assert all_rows(place.raw, "telephony.calls") == []


def test_a_file_without_uniqueid_is_refused_with_the_options_that_add_it(place: Place) -> None:
    file = place.root / "Master.csv"
    place.connect("pbx", {**KEYS, "kind": "asterisk_csv", "path": str(file)}, {})
    with (FOLDER / "asterisk_cdr_csv_order.csv").open() as lines, file.open("w") as out:
        csv.writer(out).writerows(fields[:16] for fields in csv.reader(lines))
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "loguniqueid=yes" in outcome.failure.remedy


def test_an_unknown_order_of_columns_is_refused_with_the_first_line(place: Place) -> None:
    file = place.root / "Master.csv"
    place.connect("pbx", {**KEYS, "kind": "asterisk_csv", "path": str(file)}, {})
    file.write_text("one,two,three\n")
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "one,two,three" in outcome.failure.message


def test_rotation_neither_loses_nor_doubles_a_record(place: Place) -> None:
    company = small_company()
    rows = sorted(cdr_rows(company), key=lambda it: it["calldate"])
    master, zone = place.root / "log/Master.csv", ZoneInfo("Europe/Moscow")
    keys = {**KEYS, "kind": "asterisk_csv", "path": f"{master}*", "start_date": "2026-03-01"}
    place.connect("pbx", keys, {})
    write_csv(master, rows[:4])
    place.good(now=at(8))
    with master.open("a") as file:
        write_csv(place.root / "more.csv", rows[4:6])
        file.write((place.root / "more.csv").read_text() + '"a line that is being')
    place.good(now=at(8, 1))
    assert len(calls(place.raw)) == 6
    whole = master.read_text().rpartition("\n")[0] + "\n"
    with gzip.open(f"{master}.1.gz", "wt") as packed:
        packed.write(whole)
    write_csv(master, rows[6:], zone=zone)
    place.good(now=at(8, 2))
    assert len(calls(place.raw)) == len(rows)
    assert len(all_rows(place.raw, "telephony.calls")) == len(rows)


def test_a_line_that_cannot_be_split_is_counted_and_left_out(place: Place) -> None:
    file = place.root / "Master.csv"
    place.connect("pbx", {**KEYS, "kind": "asterisk_csv", "timezone": "UTC", "path": str(file)}, {})
    shutil.copy(FOLDER / "asterisk_cdr_csv_order.csv", file)
    with file.open("a") as out:
        out.write('"broken","line"\n')
    report = place.good(now=NOW).report
    assert report.rejected["Master.csv"] == 1
    assert any("2 fields, not 21" in it for it in report.warnings)
    assert len(calls(place.raw)) == len(expected())


def test_a_wrong_password_is_refused_at_once_and_not_shown(place: Place) -> None:
    with CdrServer(dumped_rows) as server:
        dsn = server.dsn.replace("cdr-reader-secret", "another-secret-word")
        place.connect("pbx", {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS}, {"DSN": dsn})
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "another-secret-word" not in str(outcome.failure)
    assert place.clock is not None
    assert place.clock.waits == []


_WORD = "p:a/s s?w%rd-of-the-reader"
_WRITTEN = quote(_WORD, safe="")
_HALF = "half-of-a-word"


@pytest.mark.parametrize(
    ("dsn", "table", "exit_code", "words"),
    [
        ("mysql://reader:{wrong}@{host}", "cdr", 2, "Access denied"),
        ("mysql://nobody:{wrong}@{host}", "cdr", 2, ""),
        ("mysql://reader:{right}@{host}", "there_is_none", 2, "there_is_none"),
        ("mysql://reader:{wrong}@127.0.0.1:1/asteriskcdrdb", "cdr", 75, "127.0.0.1"),
        ("mysql://reader:{wrong}@no-such-host.invalid/cdr", "cdr", 75, "no-such-host"),
        ("postgresql://reader:{wrong}@127.0.0.1:1/cdr", "cdr", 75, "127.0.0.1"),
        ("postgresql://127.0.0.1:1/cdr?user=reader&password={wrong}", "cdr", 75, "127.0.0.1"),
        ("mysql://reader:{wrong}@127.0.0.1:port/cdr", "cdr", 2, "no address of a database"),
        (f"mysql://reader:{_HALF}@{{wrong}}@127.0.0.1/cdr", "cdr", 2, "second @"),
        ("oracle://reader:{wrong}@127.0.0.1/cdr", "cdr", 2, "oracle"),
    ],
)
def test_no_secret_is_said_or_left_after_each_kind_of_failure(
    place: Place, caplog: pytest.LogCaptureFixture, dsn: str, table: str, exit_code: int, words: str
) -> None:
    """Wrong passwords, hosts that are away, tables that are not there, addresses that are none."""
    caplog.set_level(0)
    said: list[Any] = []

    def refuse(sql: str) -> None:
        said.append(processes())
        if "there_is_none" in sql:
            # Some servers repeat how one came in.
            raise MysqlError(f"Table there_is_none is not for {PASSWORD}", ErrorCode.NO_DB_ERROR)

    with CdrServer(dumped_rows) as server:
        server.always = refuse
        host = server.dsn.rpartition("@")[2]
        whole = dsn.format(wrong=_WRITTEN, right=PASSWORD, host=host)
        place.connect(
            "pbx",
            {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS, "table": table},
            {"DSN": whole},
        )
        outcome = place.run(now=NOW)
        settings = place.settings(NOW)
        said += [outcome, *check(settings, "pbx", clock=place.clock)]
        if exit_code == 2:
            with dg.DagsterInstance.ephemeral() as instance:
                assert not job_of(settings, instance).success
                said += [str(it) for run in instance.get_runs() for it in
                         instance.all_logs(run.run_id)]  # fmt: skip
    assert outcome.exit_code == exit_code
    assert outcome.failure is not None
    assert outcome.failure.remedy
    assert words in outcome.failure.message
    ours = [it for it in caplog.records if not it.name.startswith(("mysql_mimic", "sqlglot"))]
    found = repr([*said, *(it.getMessage() for it in ours)])
    hidden = (whole, _WORD, _WRITTEN, quote(_WORD), _HALF, PASSWORD)
    assert not [it for it in hidden if it in found]
    for file in place.root.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert not [it for it in hidden if it.encode() in content], file


def test_a_database_that_is_away_is_waited_for_and_then_tried_later(place: Place) -> None:
    place.connect("pbx", {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS},
                  {"DSN": "mysql://reader:a-secret-word@127.0.0.1:1/asteriskcdrdb"})  # fmt: skip
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 75
    assert "a-secret-word" not in str(outcome.failure)
    assert place.clock is not None
    assert place.clock.waits == [1, 2, 4, 8, 16]


def test_a_table_of_instants_is_read_in_utc(place: Place) -> None:
    rows = [
        {**row, "calldate": str(datetime.fromisoformat(row["calldate"]).replace(
            tzinfo=ZoneInfo("Europe/Moscow")).astimezone(UTC).replace(tzinfo=None))}
        for row in dumped_rows()
    ]  # fmt: skip
    with CdrServer(lambda: rows, {"calldate": ColumnType.TIMESTAMP}) as server:
        place.connect("pbx", {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS},
                      {"DSN": server.dsn})  # fmt: skip
        place.good(now=NOW)
    found = calls(place.raw)
    for key, row in expected().items():
        assert _same_moment(found[key]["started_at"], row["started_at"])


def test_a_zero_date_arrives_as_it_was_written(place: Place) -> None:
    rows = [*dumped_rows(), {**dumped_rows()[0], "calldate": "0000-00-00 00:00:00",
                             "sequence": 999, "linkedid": "1.1"}]  # fmt: skip
    with CdrServer(lambda: rows) as server:
        place.connect("pbx", {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS},
                      {"DSN": server.dsn})  # fmt: skip
        place.good(now=NOW)
    assert calls(place.raw)["pbx1:1795417200.11-999"]["started_at"] == "0000-00-00 00:00:00"


def test_the_table_is_read_from_postgres_too(place: Place) -> None:
    rows = dumped_rows()
    names = [it for it in rows[0] if it in DUMPED]
    types = {"calldate": "timestamp", "duration": "int", "billsec": "int"}
    with running_server(free_port()) as server:
        url = server.create_database("asteriskcdrdb")
        with psycopg.connect(url) as session:
            described = ", ".join(f"{it} {types.get(it, 'text')}" for it in names)
            session.execute(f"create table cdr ({described})")
            for row in rows:
                values = [row[it] if it in types else str(row[it]) for it in names]
                session.execute(
                    f"insert into cdr values ({', '.join(['%s'] * len(names))})", values
                )
        place.connect("pbx", {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS}, {"DSN": url})
        place.good(now=NOW)
    found, wanted = calls(place.raw), expected()
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert {name: found[key][name] for name in row} == row


def test_a_record_without_sequence_is_known_by_all_that_it_says() -> None:
    base = dumped_rows()[0] | {"sequence": ""}
    one, same, other = mapped([base, base, base | {"billsec": 1}])
    assert one["call_id"] == same["call_id"] != other["call_id"]
    assert len(str(one["call_id"]).rpartition("-")[2]) == 12


def test_menus_answer_where_the_keys_say_so() -> None:
    menu = [it for it in dumped_rows() if it["lastapp"] == "BackGround"]
    assert mapped(menu)[0]["disposition"] == "no_answer"
    assert mapped(menu, ivr_answers=True)[0]["disposition"] == "answered"


def test_an_outside_number_loses_the_digits_dialled_before_it() -> None:
    row = next(it for it in dumped_rows() if it["dst"] == "89990000055")
    found = mapped([row | {"dst": "989990000055"}], outbound_prefixes=["9"])[0]
    assert (found["direction"], found["to_number"]) == ("out", "89990000055")


def test_follow_me_channels_name_the_employee() -> None:
    row = dumped_rows()[2] | {"dstchannel": "", "linkedid": ""}
    for peer, employee in (("FMPR-102", "102"), ("RG-600-102#", "102"), ("79990000900", "103")):
        found = mapped([
            dumped_rows()[0] | {"linkedid": "L"},
            row | {"channel": f"Local/{peer}@from-internal-0001;2", "linkedid": "L"},
        ])  # fmt: skip
        assert found[1]["extension"] == employee


def test_a_conversation_in_two_pieces_is_mapped_as_one() -> None:
    """The first record says that the second one's conversation came from outside."""
    rows = [record(it) for it in dumped_rows()[:3]]
    whole = {it["call_id"]: it for it in Sessions(Mapper(connection())).take(rows)}
    sessions = Sessions(Mapper(connection()))
    pieces: dict[str, Any] = {}
    for piece in (rows[1:], rows[:1]):
        pieces |= {it["call_id"]: it for it in sessions.take(piece)}
    assert pieces == whole


def test_channel_events_give_the_talk_with_a_person() -> None:
    """The wait in the queue is billed; the bridge with the telephone is what was talked."""
    call = Call(1, at(0), "in", "79990000001", (Ring("101", 20, 100, talk=90),), queue="800")
    company = small_company()
    company.calls = [call]
    rows = [record(it) for it in cdr_rows(company)]
    linked, trunk = rows[0].get("linkedid"), rows[0].get("channel")
    local, phone = rows[0].get("dstchannel"), rows[1].get("dstchannel")
    events = [
        ChannelEvent(at(0, 0, 0, second), channel, bridge, is_enter)
        for second, channel, bridge, is_enter in (
            (40, phone, "b2", True), (40, local.replace(";1", ";2"), "b2", True),
            (45, trunk, "b1", True), (45, local, "b1", True),
            (115, trunk, "b1", False), (120, phone, "b2", False),
        )
    ]  # fmt: skip
    mapper = Mapper(connection())
    mapper.talk_of = talk_of(mapper, {linked: events})
    found = {row["extension"]: row["talk_seconds"] for _, row in mapper.rows(rows)}
    assert found["101"] == "70"


@pytest.mark.parametrize(
    ("local", "wanted"),
    [
        ("2026-10-25 02:30:00", "2026-10-25T02:30:00+01:00"),
        ("2026-03-29 02:30:00", "2026-03-29T03:30:00+02:00"),
        ("2026-07-01 12:00:00", "2026-07-01T12:00:00+02:00"),
    ],
)
def test_hours_that_repeat_or_do_not_exist_are_read_as_the_contract_does(
    local: str, wanted: str
) -> None:
    found = local_instant(datetime.fromisoformat(local), ZoneInfo("Europe/Berlin"))
    assert found.isoformat() == wanted


def test_an_extension_that_changes_hands_keeps_its_past(place: Place) -> None:
    with CdrServer(dumped_rows) as server:
        keys = {"kind": "asterisk_sql", "dsn": "env:DSN", **KEYS}
        place.connect("pbx", keys, {"DSN": server.dsn})
        place.good(now=NOW)
        place.connect("pbx", {**keys, "extensions": {"101": "7009", "102": "7002"}}, {})
        place.good(now=datetime(2026, 11, 24, tzinfo=UTC))
    rows = current(place.raw, "telephony.extensions").values()
    held = sorted((it["extension"], it["manager_id"], it["valid_to"]) for it in rows)
    noticed = "2026-11-24T00:00:00+00:00"
    assert held == [
        ("101", "7001", noticed),
        ("101", "7009", None),
        ("102", "7002", None),
        ("103", "7003", noticed),
    ]


def _same_moment(one: Any, other: Any) -> bool:
    if not one or not other:
        return one == other
    return datetime.fromisoformat(str(one)) == datetime.fromisoformat(str(other))
