"""CSV and XLSX of any table: what is read back is what was written, and nothing in it is run."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from orchestration.base.errors import WrongUse
from orchestration.base.terminal import visible
from orchestration.metrics import sheets
from orchestration.metrics.catalogue import Catalogue
from orchestration.metrics.choices import Format
from orchestration.metrics.query import Answer
from orchestration.metrics.sheets import (
    attachment,
    csv_pieces,
    file_name,
    headings,
    write_csv,
    write_xlsx,
)
from orchestration.metrics.show import write_answer

FORMULAS = ["=1+1", "+1+1", "-1+1", "@sum(a1)", "\t=1", "\r=1", "＝1", "=cmd|'/c calc'!a1", " =1"]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(FORMULAS)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20))


def read_csv(data: bytes, *, for_excel: bool = False) -> list[list[str]]:
    text = data.decode("utf-8-sig" if for_excel else "utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if for_excel else ","))


def read_xlsx(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[list[object]]:
    file = io.BytesIO()
    write_xlsx(columns, rows, file)
    file.seek(0)
    return CalamineWorkbook.from_filelike(file).get_sheet_by_index(0).to_python()


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("@sum(a1)", "'@sum(a1)"),
        ("  =1+1", "'  =1+1"),
        ("\t=1+1", "'\t'=1+1"),
        ("＝1+1", "'＝1+1"),
        ("\r=1+1", "␍=1+1"),
        # Another separator than the file's would begin a cell here.
        ("a;=1+1", "a;'=1+1"),
        ("a\n=1+1", '"a\n\'=1+1"'),
        ("a\t=1+1", "a\t'=1+1"),
        ("=cmd|'/c calc'!a1", "'=cmd|'/c calc'!a1"),
        ('=hyperlink("x")', '"\'=hyperlink(""x"")"'),
        ("\x1b[2J", "␛[2J"),
        # Nothing of these is run.
        ("a=1, b-2", '"a=1, b-2"'),
        ("-5", "-5"),
        ("+7,5", '"+7,5"'),
        ("+79120001122", "+79120001122"),
        ("2026-07-01", "2026-07-01"),
        (-5, "-5"),
        (-5.5, "-5.5"),
        (Decimal("-5.50"), "-5.50"),
        (True, "True"),
        (date(2026, 7, 1), "2026-07-01"),
        (datetime(2026, 7, 1, 9), "2026-07-01 09:00:00"),
    ],
)
def test_csv_holds_no_formula(value: object, cell: str) -> None:
    stream = io.StringIO()
    write_csv(("name", "n"), [(value, None)], stream)
    assert stream.getvalue() == f"name,n\n{cell},\n"


def test_a_russian_excel_opens_its_csv(tmp_path: Path) -> None:
    rows = [("Ёж; и =к", Decimal("-1234.50"), 0.25, 3, None), ("=1", Decimal(7), 1e-07, -3, "-5")]
    file = tmp_path / "answer.csv"
    write_answer(Answer(tuple("abcde"), rows, {}), Format.CSV, file, for_excel=True)
    assert file.read_bytes() == (
        '\ufeffa;b;c;d;e\r\n"Ёж; и =к";-1234,50;0,25;3;\r\n\'=1;7;1e-07;-3;-5\r\n'.encode()
    )


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), st.booleans())
@example([("=1", "a,=1")], True)
@example([("_x0041_", '"')], False)
def test_texts_come_back_from_csv_and_begin_no_formula(
    rows: list[tuple[str, str]], for_excel: bool
) -> None:
    data = b"".join(csv_pieces(("a", "b"), rows, for_excel=for_excel))
    heading, *found = read_csv(data, for_excel=for_excel)
    assert heading == ["a", "b"]
    for row, cells in zip(rows, found, strict=True):
        for text, cell in zip(row, cells, strict=True):
            is_number = text[1:].replace(".", "").replace(",", "").isdigit()
            assert is_number or not cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋"))
            assert cell.replace("'", "") == visible(text, keep="\n\t").replace("'", "")


@settings(deadline=None, max_examples=40)
@given(DECIMALS, st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_of_csv_have_all_their_digits(amount: Decimal, count: int, rate: float) -> None:
    for for_excel in (False, True):
        data = b"".join(csv_pieces(("a", "b", "c"), [(amount, count, rate)], for_excel=for_excel))
        cells = [cell.replace(",", ".") for cell in read_csv(data, for_excel=for_excel)[1]]
        assert (Decimal(cells[0]), int(cells[1]), float(cells[2])) == (amount, count, rate)
        assert "E" not in cells[0]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
@example([("=1+1", "https://a.example")])
@example([(" a ", "_x0041_")])
def test_texts_come_back_from_a_workbook(rows: list[tuple[str, str]]) -> None:
    found = read_xlsx(("a", "b"), [*rows, ("end", "end")])[1:-1]
    assert found == [[_stored(text) for text in row] for row in rows]


def _stored(text: str) -> str:
    return visible(text, keep="\n\t").replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


@settings(deadline=None, max_examples=40)
@given(DECIMALS, st.integers(-(10**20), 10**20), st.floats(-1e15, 1e15))
@example(Decimal("-0.10"), -5, -0.5)
@example(Decimal("99999999999999.9"), 10**15, 1e-7)
@example(Decimal("1.000000000000000000000000000001"), 10**15 - 1, 1e15)
def test_numbers_come_back_from_a_workbook(amount: Decimal, count: int, rate: float) -> None:
    ((amount_read, count_read, rate_read),) = read_xlsx(("a", "b", "c"), [(amount, count, rate)])[
        1:
    ]
    if len(f"{amount:f}".replace(".", "").lstrip("-0").rstrip("0")) <= 15:
        assert isinstance(amount_read, (int, float)) and amount_read == float(amount)
    else:
        assert isinstance(amount_read, str) and Decimal(amount_read) == amount
    assert isinstance(count_read, float if abs(count) < 10**15 else str)
    assert int(count_read) == count
    assert rate_read == pytest.approx(rate, rel=1e-15, abs=1e-300)


@settings(deadline=None, max_examples=40)
@given(
    st.dates(min_value=date(1900, 3, 1)),
    st.datetimes(min_value=datetime(1900, 3, 1), max_value=datetime(2999, 1, 1)),
)
def test_days_and_times_come_back_from_a_workbook(day: date, time: datetime) -> None:
    ((day_read, time_read, zoned, old),) = read_xlsx(
        tuple("abcd"),
        [(day, time, time.replace(tzinfo=timezone(timedelta(hours=3))), date(1812, 9, 7))],
    )[1:]
    assert day_read == day
    for found, wanted in ((time_read, time), (zoned, time - timedelta(hours=3))):
        assert isinstance(found, date)
        # A midnight is read as the day.
        read = (
            found if isinstance(found, datetime) else datetime.combine(found, datetime.min.time())
        )
        assert abs(read - wanted) <= timedelta(milliseconds=1)
    assert old == "1812-09-07"


def test_a_workbook_holds_no_formula_and_no_link() -> None:
    file = io.BytesIO()
    row = (*FORMULAS, "https://a.example", "mailto:a@b.example", "internal:Sheet1!A1", None, True)
    write_xlsx([f"={number}" for number in range(len(row))], [row], file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert b"<f>" not in sheet and b"<f " not in sheet and b"hyperlink" not in sheet
    assert not any("externalLink" in name or "calcChain" in name for name in parts)
    assert sheet.count(b't="inlineStr"') == 2 * len(row) - 2
    assert b't="b"><v>1</v>' in sheet


def test_a_full_sheet_goes_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS", 4)
    file = io.BytesIO()
    write_xlsx(("n",), ((number,) for number in range(8)), file, sheet="a/b")
    file.seek(0)
    workbook = CalamineWorkbook.from_filelike(file)
    assert workbook.sheet_names == ["a b", "a b 2", "a b 3"]
    assert [workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names] == [
        [["n"], [0.0], [1.0], [2.0]],
        [["n"], [3.0], [4.0], [5.0]],
        [["n"], [6.0], [7.0]],
    ]


def test_a_long_text_ends_where_the_cell_ends() -> None:
    ((text,),) = read_xlsx(("a",), [("😀" * 20_000,)])[1:]
    assert text == "😀" * 16_383


def test_rows_are_written_while_they_are_read() -> None:
    taken = 0

    def rows() -> Iterator[tuple[int]]:
        nonlocal taken
        for taken in range(2_000):
            yield (taken,)

    pieces = csv_pieces(("n",), rows())
    assert next(pieces).startswith(b"n\n0\n1\n")
    assert taken < 1_000
    assert b"".join(pieces).endswith(b"\n1999\n")


def test_nothing_is_lost_where_there_are_no_rows(tmp_path: Path) -> None:
    assert b"".join(csv_pieces(("a", "b"), [])) == b"a,b\n"
    write_answer(Answer(("a", "b"), [], {}), Format.XLSX, tmp_path / "a.xlsx")
    assert CalamineWorkbook.from_path(str(tmp_path / "a.xlsx")).get_sheet_by_index(
        0
    ).to_python() == [["a", "b"]]
    with pytest.raises(WrongUse, match="no text for a screen"):
        write_answer(Answer(("a",), [], {}), Format.XLSX, None)


def test_headings_are_russian_where_asked() -> None:
    catalogue = Catalogue('{"metrics": [], "semantic_models": [], "saved_queries": []}')
    columns = ("deal_id", "value", "manager_name", "unknown")
    names = {"deal_id": "Сделка", "manager_name": "Менеджер", "value": "Сделка"}
    assert headings(columns, "en", catalogue, names) == list(columns)
    assert headings(columns, "ru", catalogue, names) == [
        *("Сделка", "Сделка (value)", "Менеджер", "unknown"),
    ]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("revenue", "2026-08-01"), "revenue_2026-08-01.csv"),
        (("../../etc/passwd",), "etc-passwd.csv"),
        (("выручка", "Иванова Ольга"), "выручка_Иванова-Ольга.csv"),
        (("a\r\nSet-Cookie: x",), "a-Set-Cookie-x.csv"),
        (("", "..."), "table.csv"),
        (("con",), "_con.csv"),
        (("я" * 200,), "я" * 60 + ".csv"),
    ],
)
def test_names_of_files_are_safe(parts: tuple[str, ...], name: str) -> None:
    assert file_name(*parts, suffix=".csv") == name
    header = attachment(name)
    assert header.isascii() and "\n" not in header and header.count('"') == 2


def test_a_header_names_the_file_in_its_own_letters() -> None:
    assert attachment("а b.csv") == (
        "attachment; filename=\"__b.csv\"; filename*=UTF-8''%D0%B0%20b.csv"
    )


def test_times_with_a_zone_are_utc_in_a_workbook() -> None:
    ((found,),) = read_xlsx(("at",), [(datetime(2026, 7, 1, 9, tzinfo=UTC),)])[1:]
    assert found == datetime(2026, 7, 1, 9)
