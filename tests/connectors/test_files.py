"""People's files: the samples with their expected rows, detection, values, snapshots, drafts."""

from __future__ import annotations

import csv
import os
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.base.errors import WrongUse
from orchestration.connectors.kinds.files import values
from orchestration.connectors.kinds.files.connector import Files
from orchestration.connectors.kinds.files.keys import Mapping as FileMapping
from orchestration.connectors.kinds.files.reading import Unreadable, decode, is_doubled, read_csv
from orchestration.connectors.run import check, connections, draft
from tests.conftest import write_zone
from tests.connectors.adapter import SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.zone import all_rows, current

FOLDER = SAMPLES / "files"
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


def connect(place: Place, mapping: Any, *files: str, **more: Any) -> Path:
    """A connection whose folder has copies of these samples."""
    folder = place.root / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        shutil.copy(FOLDER / name, folder / name)
    if isinstance(mapping, str):
        path = FOLDER / "mappings" / f"{mapping}.yaml"
    else:
        path = place.root / "mapping.yaml"
        path.write_text(yaml.safe_dump(mapping, allow_unicode=True), encoding="utf-8")
    place.connect(
        "sheet", {"kind": "files", "folder": str(folder), "mapping": str(path), **more}, {}
    )
    return folder


def expected(name: str) -> list[dict[str, str]]:
    with (FOLDER / "expected" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{key: it for key, it in row.items() if key != "note"}
                for row in csv.DictReader(file)]  # fmt: skip


def written(place: Place, table: str, columns: list[str]) -> list[dict[str, str]]:
    rows = all_rows(place.raw, table)
    found = [{name: row[name] or "" for name in columns} for row in rows]
    return sorted(found, key=lambda it: list(it.values()))


@pytest.mark.parametrize(
    ("mapping", "file", "table"),
    [
        ("payments_1c", "ugly_1c_payments.xlsx", "crm.payments"),
        ("quotas", "ugly_quotas_merged_headers.xlsx", "crm.quotas"),
        ("amocrm_deals", "ugly_amocrm_deals_cp1251.csv", "crm.deals"),
    ],
)
def test_a_sample_gives_its_expected_rows(
    place: Place, mapping: str, file: str, table: str
) -> None:
    connect(place, mapping, file)
    place.good(now=NOW)
    wanted = expected(mapping)
    columns = list(wanted[0])
    assert written(place, table, columns) == sorted(wanted, key=lambda it: list(it.values()))


def test_the_broken_line_of_the_sample_is_kept_beside_and_counted(place: Place) -> None:
    connect(place, "amocrm_deals", "ugly_amocrm_deals_cp1251.csv")
    report = place.good(now=NOW).report
    (file,) = (place.data / "connections/sheet/rejects").iterdir()
    with file.open(encoding="utf-8", newline="") as opened:
        (found,) = list(csv.DictReader(opened))
    (wanted,) = expected("amocrm_deals_rejects")
    assert [found["file"], found["line"], found["reason"]] == [
        wanted["file"], wanted["line"], wanted["reason"],
    ]  # fmt: skip
    assert found["text"].startswith(wanted["text_begins"])
    assert report.rejected == {"ugly_amocrm_deals_cp1251.csv": 1}
    phones = {it["phone"] for it in current(place.raw, "crm.contact_phones").values()}
    assert phones == {"+7 999 000-00-01", "89990000002", "8 (999) 000-00-03"}


def test_the_sample_with_dates_of_two_kinds_is_read_by_its_formats(place: Place) -> None:
    connect(place, "bitrix24_leads", "ugly_bitrix24_leads_utf8sig.csv")
    place.good(now=NOW)
    leads = current(place.raw, "crm.leads")
    assert sorted(key[0] for key in leads) == ["501", "502", "503"]
    assert leads["503",]["created_at"] == "2026-11-23T15:15:00+03:00"
    assert leads["501",]["created_at"] == "2026-11-23T09:58:12+03:00"
    assert (leads["501",]["is_target"], leads["502",]["is_target"]) == (None, "false")
    assert leads["502",]["source_id"] == "src-call"


def test_the_sample_of_bluesales_has_years_of_two_digits(place: Place) -> None:
    mapping = {
        "table": "crm.contacts", "files": ["ugly_bluesales_*.tsv"],
        "values": {"timezone": "Europe/Moscow"},
        "columns": {
            "contact_id": {"key": "hash of [Телефон, E-mail]", "prefix": "bs:"},
            "name": {"template": "{Имя} {Фамилия}"},
            "created_at": {"from": ["нет такой", "ДАТА первого  контакта"], "as": "timestamp"},
        },
        "extra_tables": [{
            "table": "crm.contact_phones",
            "columns": {
                "contact_id": {"key": "hash of [Телефон, E-mail]", "prefix": "bs:"},
                "phone": {"from": "Телефон", "as": "phone"},
            },
        }],
    }  # fmt: skip
    connect(place, mapping, "ugly_bluesales_customers_cp1251.tsv")
    place.good(now=NOW)
    contacts = {it["name"]: it for it in current(place.raw, "crm.contacts").values()}
    assert contacts["Ёлка "]["created_at"] == "2026-11-21T00:00:00+03:00"
    assert contacts["Пётр Клиентов"]["created_at"] == "2026-11-20T00:00:00+03:00"
    ids = {it["contact_id"] for it in contacts.values()}
    assert {key[0] for key in current(place.raw, "crm.contact_phones")} == ids
    assert all(it.startswith("bs:") and len(it) == 19 for it in ids)


DEALS = {
    "table": "crm.deals", "files": ["*.csv"], "mode": "snapshot",
    "values": {"timezone": "Europe/Moscow"},
    "columns": {
        "deal_id": {"from": "ID"}, "pipeline_id": {"const": "p"}, "stage_id": {"const": "s"},
        "created_at": {"from": "Создана", "as": "timestamp"},
        "amount": {"from": "Сумма", "as": "money"},
    },
}  # fmt: skip


def put(folder: Path, name: str, *rows: str, at: int = 0) -> None:
    file = folder / name
    file.write_text("ID;Создана;Сумма\n" + "\n".join(rows) + "\n", encoding="utf-8")
    os.utime(file, (1_700_000_000 + at, 1_700_000_000 + at))


def test_the_same_content_is_never_loaded_twice_and_a_changed_file_is_loaded_whole(
    place: Place,
) -> None:
    folder = connect(place, DEALS)
    put(folder, "a.csv", "1;01.11.2026;10", "2;02.11.2026;20")
    place.good(now=NOW)
    shutil.copy(folder / "a.csv", folder / "copy.csv")
    assert place.good(now=NOW).report.written == {}
    put(folder, "a.csv", "1;01.11.2026;10", "2;02.11.2026;25")
    assert place.good(now=NOW).report.written == {"crm.deals": 1}
    assert current(place.raw, "crm.deals")["2",]["amount"] == "25"


def test_a_snapshot_buries_what_it_lacks_unless_that_is_too_much(place: Place) -> None:
    folder = connect(place, DEALS)
    put(folder, "1.csv", *(f"{it};01.11.2026;10" for it in range(1, 11)))
    place.good(now=NOW)
    put(folder, "2.csv", *(f"{it};01.11.2026;10" for it in range(1, 9)), at=60)
    place.good(now=NOW)
    assert sorted(int(key[0]) for key in current(place.raw, "crm.deals")) == list(range(1, 9))
    put(folder, "3.csv", "1;01.11.2026;10", at=120)
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "3.csv lacks 7 of 8 rows" in outcome.failure.message
    assert len(current(place.raw, "crm.deals")) == 8


def test_a_file_with_rejects_buries_nothing_and_without_leave_writes_nothing(place: Place) -> None:
    folder = connect(place, {**DEALS, "max_reject_share": 0.5, "max_deleted_share": 1})
    put(folder, "1.csv", "1;01.11.2026;10", "2;01.11.2026;10")
    place.good(now=NOW)
    put(folder, "2.csv", "1;01.11.2026;10", "2;01.11.2026;10;more", at=60)
    place.good(now=NOW)
    assert len(current(place.raw, "crm.deals")) == 2
    connect(place, DEALS)
    put(folder, "3.csv", "5;01.11.2026;10", "6;01.11.2026", "7;01.11.2026;1", at=90)
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert outcome.failure.details == ["line 3: fields: 2 instead of 3: 6;01.11.2026"]
    assert len(current(place.raw, "crm.deals")) == 2


def test_every_line_of_a_row_with_broken_quotes_is_a_reject() -> None:
    """What stands after such a row is read, and nothing is left out without a word."""
    sheet = read_csv(b'a;b\n1;"x"y;2\n3;4\n5;"open\n6;7\n')
    assert [(it.number, list(it.cells)) for it in sheet.lines] == [(1, ["a", "b"]), (3, ["3", "4"])]
    assert [(it.line, it.text) for it in sheet.rejects] == [
        (2, '1;"x"y;2'), (4, '5;"open'), (5, "6;7"),
    ]  # fmt: skip
    assert all(it.reason.startswith("quotes: ") for it in sheet.rejects)


@pytest.mark.parametrize("header", [{"rows": [3]}, {"find": ["ID", "Сумма"]}])
def test_a_title_above_the_headers_of_a_text_file_is_no_reject(
    place: Place, header: dict[str, Any]
) -> None:
    folder = connect(place, {**DEALS, "read": {"header": header}})
    text = "Сделки за ноябрь\n\nID;Создана;Сумма\n1;01.11.2026;10\n"
    (folder / "a.csv").write_text(text, encoding="utf-8")
    os.utime(folder / "a.csv", (1_700_000_000,) * 2)
    place.good(now=NOW)
    assert list(current(place.raw, "crm.deals")) == [("1",)]


def test_headers_that_are_fewer_than_the_fields_name_none_of_them(place: Place) -> None:
    folder = connect(place, {**DEALS, "read": {"header": {"rows": [2]}}})
    text = "Сделки\nID;Сумма\n1;01.11.2026;10\n2;01.11.2026;10\n"
    (folder / "a.csv").write_text(text, encoding="utf-8")
    os.utime(folder / "a.csv", (1_700_000_000,) * 2)
    outcome = place.run(now=NOW)
    assert outcome.failure is not None
    assert "line 2: the headers have 2 fields, and the rows 3" in outcome.failure.message


def test_a_file_that_grows_and_a_lock_file_are_left(place: Place) -> None:
    folder = connect(place, {**DEALS, "files": ["*"]})
    put(folder, "a.csv", "1;01.11.2026;10")
    put(folder, "~$a.csv", "2;01.11.2026;10")
    os.utime(folder / "a.csv", (NOW.timestamp() - 30,) * 2)
    outcome = place.good(now=NOW)
    assert outcome.report.written == {}
    assert outcome.report.warnings == ["a.csv was changed a moment ago: left for later."]
    place.good(now=NOW.replace(minute=2))
    assert list(current(place.raw, "crm.deals")) == [("1",)]


def test_names_are_looked_up_in_the_raw_zone_and_two_of_one_name_are_refused(place: Place) -> None:
    managers = {
        "table": "crm.managers", "files": ["m*.csv"],
        "columns": {"manager_id": {"from": "id"}, "full_name": {"from": "имя"}},
    }  # fmt: skip
    folder = connect(place, managers)
    (folder / "m.csv").write_text("id,имя\n7,Анна  ПЁТРОВА\n8,Иван\n", encoding="utf-8")
    place.good(now=NOW)
    mapping = {**DEALS, "lookups": {"who": {"from": "crm.managers", "key": "full_name",
                                            "value": "manager_id", "unknown": "null"}}}  # fmt: skip
    mapping["columns"] = {**DEALS["columns"], "manager_id": {"from": "Сумма", "lookup": "who"}}
    mapping["columns"].pop("amount")
    mapping["files"] = ["d*.csv"]
    connect(place, mapping)
    put(folder, "d.csv", "1;01.11.2026;Анна Петрова", "2;01.11.2026;Никто")
    report = place.good(now=NOW).report
    deals = current(place.raw, "crm.deals")
    assert [deals[it,]["manager_id"] for it in "12"] == ["7", None]
    assert report.counted["d.csv: who: unknown Никто"] == 1
    connect(place, managers)
    (folder / "m2.csv").write_text("id,имя\n9,Иван\n", encoding="utf-8")
    place.good(now=NOW)
    connect(place, mapping)
    put(folder, "d2.csv", "3;01.11.2026;Иван", at=60)
    outcome = place.run(now=NOW)
    assert outcome.failure is not None
    assert "two rows of crm.managers are called Иван" in outcome.failure.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"table": "crm.deal"}, "crm.deal is no table of the contract"),
        ({"columns": {"deal_id": {"from": "ID"}}}, "crm.deals needs pipeline_id, stage_id"),
        ({"columns": {**DEALS["columns"], "sum": {"from": "x"}}}, "crm.deals has no column sum"),
        ({"columns": {**DEALS["columns"], "amount": {"as": "money"}}}, "needs one of from, const"),
        ({"values": {}}, "values.timezone is required for timestamps"),
        ({"values": {"timezone": "Moscow"}}, "Moscow is not a time zone"),
        ({"colums": {}}, "colums: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_refused_by_name(place: Place, change: Any, said: str) -> None:
    connect(place, {**DEALS, **change})
    outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert said in outcome.failure.message
    assert "--draft" in outcome.failure.remedy


def test_a_header_that_is_not_there_is_refused_with_the_nearest(place: Place) -> None:
    folder = connect(place, DEALS)
    (folder / "a.csv").write_text("ID;Создано;Сумма\n1;01.11.2026;5\n", encoding="utf-8")
    outcome = place.run(now=NOW)
    assert outcome.failure is not None
    assert (
        "no header Создана; the nearest are Создано; there are ID, Создано"
        in outcome.failure.message
    )


def test_a_check_previews_the_newest_file_and_writes_nothing(place: Place) -> None:
    from orchestration.connectors.run import check

    connect(place, "amocrm_deals", "ugly_amocrm_deals_cp1251.csv")
    found = list(check(place.settings(NOW), "sheet"))
    texts = [it.text for it in found]
    assert any("cp1251" in it and "';'" in it for it in texts)
    assert any(it.startswith("Not mapped: Тип") for it in texts)
    assert "managers: unknown Уволенный Олег: 1" in texts
    assert "amount: not as money, left as typed: 1" in texts
    assert not place.raw.exists()
    assert not place.data.exists()


@pytest.mark.parametrize(
    ("file", "table", "columns"),
    [
        ("ugly_amocrm_deals_cp1251.csv", "crm.deals", {"deal_id", "stage_id", "created_at"}),
        ("ugly_bitrix24_leads_utf8sig.csv", "crm.leads", {"lead_id", "manager_id", "created_at"}),
        ("ugly_1c_payments.xlsx", "crm.payments", {"payment_id", "paid_at", "amount"}),
        ("ugly_bluesales_customers_cp1251.tsv", "crm.contacts", {"name", "email", "created_at"}),
    ],
)
def test_a_draft_has_the_table_and_the_columns_that_the_headers_tell(
    file: str, table: str, columns: set[str]
) -> None:
    text = Files.draft(FOLDER / file)
    found = yaml.safe_load(text)
    assert found["table"] == table
    assert columns <= found["columns"].keys()


def test_a_draft_works_as_it_is_where_nothing_is_missing(place: Place) -> None:
    folder = connect(place, DEALS)
    put(folder, "a.csv", "1;01.11.2026;5")
    (folder / "a.csv").write_text(
        'Deal ID,Amount,Pipeline,Stage,Created at\n1,"1,250.75",p,s,2026-11-01 10:00\n',
        encoding="utf-8",
    )
    mapping = yaml.safe_load(Files.draft(folder / "a.csv"))
    FileMapping.model_validate(mapping)
    connect(place, mapping)
    place.good(now=NOW)
    deal = current(place.raw, "crm.deals")["1",]
    assert (deal["amount"], deal["created_at"]) == ("1250.75", "2026-11-01T10:00:00+03:00")


@pytest.mark.parametrize("encoding", [
    "utf-8", "utf-8-sig", "cp1251", "cp866", "koi8-r", "utf-16", "utf-16-le", "utf-16-be",
])  # fmt: skip
def test_an_encoding_is_known_by_its_text(encoding: str) -> None:
    text = "Ответственный;Стадия\nАнна Примерова;Переговоры о стоимости\n"
    assert decode(text.encode(encoding))[0] == text


def test_text_that_was_encoded_twice_is_recognised_and_not_repaired() -> None:
    broken = "Ответственный".encode().decode("cp1251", errors="ignore")
    assert is_doubled(broken)
    assert not is_doubled("Ответственный: Роман Сергеев")


def test_a_delimiter_is_obeyed_found_or_asked_for() -> None:
    assert read_csv(b"sep=|\na|b\n1|2\n").delimiter == "|"
    assert read_csv(b'a;b,c\n1;"2;3"\n4;5\n').delimiter == ";"
    with pytest.raises(Unreadable, match="delimiter"):
        read_csv(b"a;b,c\n1;2,3\n")
    with pytest.raises(Unreadable, match="it is empty"):
        read_csv(b"\n \n")
    assert [it.number for it in read_csv(b'a;b\n1;"x\ny"\n2;z\n').lines] == [1, 2, 4]


@pytest.mark.parametrize(
    ("typed", "sign", "number"),
    [
        ("120 000,50", "", "120000.50"),
        ("1\u00a0300\u202f000,00 ₽", "", "1300000.00"),
        ("1,250.75", "", "1250.75"),
        ("1.250,75 руб.", "", "1250.75"),
        ("(1 000,00)", "", "-1000.00"),
        ("1 000,00-", "", "-1000.00"),
        ("1.234", ",", "1234"),
        ("1.234", ".", "1.234"),
        ("1'000", "", "1000"),
        ("1.234.567", "", "1234567"),
        ("7.5", ",", None),
        ("12.11.2026", "", None),
        ("1,23,4", ".", None),
        (0.1, "", "0.1"),
        (79161234567.0, "", "79161234567"),
        ("десять", "", None),
        ("", "", None),
    ],
)
def test_numbers_are_read_as_people_write_them(typed: Any, sign: str, number: str | None) -> None:
    found = values.number(typed, sign)
    assert found == (None if number is None else Decimal(number))
    if found is not None:
        assert format(found, "f") == number


def test_a_number_that_can_be_two_is_decided_by_its_column_or_asked_for() -> None:
    assert values.decimal_sign(["1.234", "5,50"], "") == ","
    assert values.decimal_sign(["1.234", "5.50"], "") == "."
    assert values.decimal_sign(["1.234"], ",") == ","
    with pytest.raises(values.Undecided, match=r"1\.234"):
        values.decimal_sign(["1.234", "7"], "")


def test_a_date_that_can_be_two_is_decided_by_its_column_or_asked_for() -> None:
    assert values.date_order(["03/04/2026", "13/04/2026"], None) == "dmy"
    assert values.date_order(["03/04/2026", "04/13/2026"], None) == "mdy"
    with pytest.raises(values.Undecided, match="date_order"):
        values.date_order(["03/04/2026"], None)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("01.11.2026 10:15:00", datetime(2026, 11, 1, 10, 15)),
        ("1.11.26", datetime(2026, 11, 1)),
        ("2026-11-01T10:15", datetime(2026, 11, 1, 10, 15)),
        ("1 ноября 2026 г.", datetime(2026, 11, 1)),
        ("1 ноября 2026 г., 10:15:30", datetime(2026, 11, 1, 10, 15, 30)),
        ("11/01/2026 12:05 AM", None),
        ("31.02.2026", None),
        ("07.11.2026 25:00:00", None),
        ("01.11.85", None),
        (46335, None),
    ],
)
def test_dates_are_read_as_people_write_them(typed: Any, found: datetime | None) -> None:
    order = "dmy"
    if typed == "11/01/2026 12:05 AM":
        order, found = "mdy", datetime(2026, 11, 1, 0, 5)
    assert values.moment(typed, order) == found


def test_excels_numbers_are_days_only_where_the_mapping_says_so() -> None:
    for typed in (46335.5, "46335.5", "46335,5"):
        assert values.moment(typed, "dmy", has_serials=True) == datetime(2026, 11, 9, 12)
    assert values.moment("46335", "dmy") is None
    assert values.is_spoilt("7,91612E+10")


def test_a_file_is_previewed_and_drafted(place: Place) -> None:
    connect(place, "quotas", "ugly_quotas_merged_headers.xlsx")
    file = FOLDER / "ugly_quotas_merged_headers.xlsx"
    found = list(check(place.settings(NOW), "sheet", file=file))
    assert found[0].grade == "good"
    assert "ugly_quotas_merged_headers.xlsx" in found[0].text
    assert "table: crm.quotas" in draft(file)
    with pytest.raises(WrongUse, match="none"):
        draft(FOLDER / "none.csv")
    assert not list(place.raw.glob("**/*.parquet"))


def space(place: Place, name: str, table: str, columns: dict[str, Any], **keys: Any) -> Path:
    """Another connection of files, with a folder of its own; gives the folder."""
    folder = place.root / name
    folder.mkdir(parents=True)
    mapping = {"table": table, "files": ["*.csv"], "columns": columns,
               "values": {"timezone": "Europe/Moscow"}}  # fmt: skip
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping, allow_unicode=True), "utf-8")
    block = {"kind": "files", "folder": str(folder), "mapping": str(folder / "mapping.yaml")}
    place.connect(name, {**block, **keys}, {})
    return folder


def payments(**key: Any) -> dict[str, Any]:
    return {"payment_id": {"from": "Номер", **key}, "deal_id": {"from": "Сделка"},
            "paid_at": {"from": "Дата", "as": "timestamp"}, "amount": {"from": "Сумма"},
            "kind": {"const": "payment"}}  # fmt: skip


AMO = {"kind": "amocrm", "subdomain": "x", "long_lived_token": "env:X"}
MEET = "both have prefix ''. Give one of them another prefix"


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        (payments(), payments(), True),
        (payments(), payments(prefix="1c:"), False),
        (payments(prefix="1c:"), payments(template="1c:{Номер}", **{"from": None}), True),
        (payments(), payments(template="{Номер}", **{"from": None}), True),
    ],
)
def test_two_connections_of_files_whose_ids_could_meet_are_refused(
    place: Place, first: dict[str, Any], second: dict[str, Any], clash: bool
) -> None:
    space(place, "one", "crm.payments", first)
    space(place, "two", "crm.payments", second)
    if not clash:
        assert connections(place.settings(NOW)).keys() == {"one", "two"}
        return
    with pytest.raises(WrongUse) as caught:
        connections(place.settings(NOW))
    (said,) = caught.value.details
    assert said.startswith("two: its keys could meet those of one in crm.payments: both have")
    assert said.endswith("so that equal ids are one row, write same_ids_as: one.")


def test_files_and_a_crm_meet_only_where_they_say_that_they_are_one_system(place: Place) -> None:
    place.connect("amo", AMO, {})
    space(place, "old", "crm.payments", payments())
    with pytest.raises(WrongUse) as caught:
        connections(place.settings(NOW))
    (said,) = caught.value.details
    assert said.startswith(f"old: its keys could meet those of amo in crm.payments: {MEET}; if")
    place.connect("old", {**place.connections["old"], "same_ids_as": "amo"}, {})
    assert len(connections(place.settings(NOW))) == 2
    # A third one has not said so.
    space(place, "more", "crm.payments", payments())
    with pytest.raises(WrongUse) as caught:
        connections(place.settings(NOW))
    assert [it.split(" in crm")[0] for it in caught.value.details] == [
        "more: its keys could meet those of amo",
        "more: its keys could meet those of old",
    ]


def test_a_partner_that_is_none_is_refused(place: Place) -> None:
    space(place, "old", "crm.payments", payments(), same_ids_as="amo")
    with pytest.raises(WrongUse) as caught:
        connections(place.settings(NOW))
    assert caught.value.details == ["old: same_ids_as: there is no connection amo"]


def test_calls_of_a_file_and_of_a_telephony_are_kept_apart_by_the_same_prefix(place: Place) -> None:
    calls = {name: {"from": name} for name in
             ("call_id", "started_at", "direction", "disposition", "talk_seconds")}  # fmt: skip
    place.connect("pbx", {"kind": "asterisk_csv", "path": "/x/*", "timezone": "Europe/Moscow",
                          "trunks": ["PJSIP/t"]}, {})  # fmt: skip
    space(place, "old", "telephony.calls", calls, prefix="pbx:")
    with pytest.raises(WrongUse) as caught:
        connections(place.settings(NOW))
    assert "in telephony.calls: both have prefix 'pbx'" in caught.value.details[0]
    place.connect("old", {**place.connections["old"], "prefix": "old:"}, {})
    assert len(connections(place.settings(NOW))) == 2


COSTS = {"month": {"from": "Месяц", "as": "date"}, "team": {"from": "Отдел"},
         "cost": {"from": "Сумма"}}  # fmt: skip


def write_costs(folder: Path, *rows: str) -> None:
    (folder / "costs.csv").write_text("\n".join(["Месяц;Отдел;Сумма", *rows]), "utf-8")


def test_rows_whose_keys_are_no_ids_are_refused_where_another_file_has_them(place: Place) -> None:
    """Each department has its own costs; one that stands in both files would be lost."""
    first = space(place, "north", "finance.sales_costs", COSTS)
    second = space(place, "south", "finance.sales_costs", COSTS)
    write_costs(first, "01.10.2026;Север;100", "01.11.2026;Север;110")
    write_costs(second, "01.10.2026;Юг;200", "01.11.2026;Север;90")
    later = NOW + timedelta(days=1)
    place.good("north", now=later)
    outcome = place.run("south", now=later)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert outcome.failure.message == (
        "south: costs.csv: 1 rows of finance.sales_costs have keys that north has written; nothing "
        "of the file was written."
    )
    assert outcome.failure.details == ["month 2026-11-01, team Север"]
    assert len(current(place.raw, "finance.sales_costs")) == 2
    write_costs(second, "01.10.2026;Юг;200")
    place.good(now=later)
    assert len(current(place.raw, "finance.sales_costs")) == 3
    place.connect("south", {**place.connections["south"], "same_ids_as": "north"}, {})
    write_costs(second, "01.10.2026;Юг;200", "01.11.2026;Север;90")
    place.good(now=later + timedelta(days=1))
    costs = current(place.raw, "finance.sales_costs")
    assert costs["2026-11-01", "Север"]["cost"] == "90"


def test_an_id_that_was_looked_up_in_the_zone_is_the_zones_own(place: Place) -> None:
    """Written as it is there; ids of the file itself have the connection's prefix."""
    write_zone(place.raw, {"crm.managers": [{"manager_id": "m-1", "full_name": "Анна"}]})
    columns = {"deal_id": {"from": "Сделка"}, "manager_id": {"from": "Кто", "lookup": "managers"},
               "stage_id": {"from": "Этап", "lookup": "stages"}, "pipeline_id": {"const": "p"},
               "created_at": {"from": "Дата", "as": "timestamp"}}  # fmt: skip
    folder = space(place, "old", "crm.deals", columns, prefix="old-")
    file = folder / "mapping.yaml"
    mapping = yaml.safe_load(file.read_text("utf-8"))
    mapping["lookups"] = {
        "managers": {"from": "crm.managers", "key": "full_name", "value": "manager_id"},
        "stages": {"map": {"Новая": "s-1"}},
    }
    file.write_text(yaml.safe_dump(mapping, allow_unicode=True), "utf-8")
    (folder / "deals.csv").write_text("Сделка;Кто;Этап;Дата\n7;Анна;Новая;01.11.2026", "utf-8")
    place.good(now=NOW + timedelta(days=1))
    (row,) = current(place.raw, "crm.deals").values()
    named = {name: row[name] for name in ("deal_id", "manager_id", "stage_id", "pipeline_id")}
    assert named == {"deal_id": "old-7", "manager_id": "m-1", "stage_id": "old-s-1",
                     "pipeline_id": "old-p"}  # fmt: skip
