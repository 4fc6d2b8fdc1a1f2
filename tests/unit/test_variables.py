"""What people write for dbt's variables, and what becomes of it."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date, datetime

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.base.errors import EXIT_WRONG_USE, WrongUse
from orchestration.base.settings import parse_vars
from orchestration.base.variables import Variables, parse_value, read_variables
from tests.conftest import ROOT, examples, voronka

NAMES = sorted(Variables.model_fields)


@pytest.mark.parametrize(
    ("name", "written", "read"),
    [
        ("base_currency", " rub ", "RUB"),
        ("reporting_timezone", "europe/moscow", "Europe/Moscow"),
        ("source_timezone", "utc", "UTC"),
        ("as_of", "", None),
        ("as_of", None, None),
        ("as_of", "2024-02-29", date(2024, 2, 29)),
        ("as_of", date(2026, 9, 30), date(2026, 9, 30)),
        ("lead_match_tolerance_seconds", 0, 0),
        ("meaningful_call_seconds", "60", 60),
        ("churn_days", 60.0, 60),
        ("churn_days", " 1 ", 1),
        ("recovery_window_hours", "0.5", 0.5),
        ("recovery_window_hours", 24.0, 24),
        ("diagnostic_drop", 1, 1.0),
        ("quarantine_stop_share", "0.25", 0.25),
        ("working_weekdays", [5, 1, 1, "3"], (1, 3, 5)),
        ("working_weekdays", "1, 2,3", (1, 2, 3)),
        ("working_weekdays", 6, (6,)),
        ("working_from", "9:05", "09:05"),
        ("working_to", "23:59", "23:59"),
    ],
)
def test_a_value_is_normalised(name, written, read):
    value = getattr(read_variables({name: written}), name)
    assert (type(value), value) == (type(read), read)


@pytest.mark.parametrize(
    ("name", "written", "says"),
    [
        ("chrun_days", 60, "Unknown variable 'chrun_days': did you mean churn_days?"),
        ("timezone", "UTC", "did you mean source_timezone?"),
        ("reporting_timezone", "MSK", "is 'MSK': there is no such time zone; write for example"),
        (
            "reporting_timezone",
            "UTC+3",
            "no such time zone; write a city's, for example Europe/Moscow,",
        ),
        ("source_timezone", "Europe/Moskow", "no such time zone; did you mean Europe/Moscow?"),
        ("source_timezone", "localtime", "no such time zone"),
        ("source_timezone", 3, "no such time zone"),
        ("base_currency", "₽", "write a currency's code of three letters, for example RUB"),
        ("base_currency", "", "write a currency's code"),
        ("as_of", "2026-02-30", "the calendar has no such day"),
        ("as_of", "30.09.2026", "write a day from 1970-01-02 to 2099-12-31"),
        ("as_of", "2100-01-01", "write a day from"),
        ("as_of", datetime(2026, 9, 30, 12, 0), "write a day from"),
        ("as_of", 20260930, "write a day from"),
        ("churn_days", 0, "is 0: write a whole number from 1 to 36,500"),
        ("churn_days", 1.5, "write a whole number"),
        ("churn_days", True, "write a whole number"),
        ("churn_days", None, "write a whole number"),
        ("churn_days", 10**400, "write a whole number"),
        ("churn_days", float("nan"), "write a whole number"),
        ("meaningful_call_seconds", -1, "write a whole number from 0"),
        ("recovery_window_hours", 0, "write a number above 0"),
        ("diagnostic_drop", 1.01, "write a number above 0, up to 1."),
        ("diagnostic_drop", "Infinity", "write a number above 0"),
        ("quarantine_stop_share", 0, "write a number above 0"),
        ("working_weekdays", [], "write weekdays as [1, 2, 3, 4, 5]; Monday is 1"),
        ("working_weekdays", [0, 1], "Monday is 1"),
        ("working_weekdays", "Mon", "Monday is 1"),
        ("working_weekdays", {"1": 2}, "Monday is 1"),
        ("working_from", 540, 'write a time in quotes, for example "18:00"'),
        ("working_from", "9", "write a time from 00:00 to 23:59"),
        ("working_to", "24:00", "write a time from 00:00 to 23:59"),
        ("working_to", "08:00", "working_from 09:00 is not before working_to 08:00"),
    ],
)
def test_a_wrong_one_is_refused_in_one_line(name, written, says):
    with pytest.raises(WrongUse) as caught:
        read_variables({name: written})
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == EXIT_WRONG_USE
    assert "README.md lists the variables" in caught.value.remedy


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(WrongUse, match=r"base_currency is 'R': .*; churn_days is 0: .*"):
        read_variables({"churn_days": 0, "base_currency": "R"})


def test_the_defaults_are_those_of_the_project():
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["vars"] == Variables().as_json()


def test_the_readme_lists_every_variable_with_its_default():
    listed = dict(
        re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", _readme_variables(), re.MULTILINE)
    )
    defaults = {
        name: "none" if value is None else f"`{value}`"
        for name, value in Variables().as_json().items()
    }
    assert {name: text.strip() for name, text in listed.items()} == defaults


def _readme_variables() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split("| variable |")[1].split("\n\n")[0]


anything = st.one_of(
    st.text(),
    st.text("0123456789-+.:,[]{}\"' eEnulNaIifty", max_size=12),
    st.sampled_from(["Europe/Moscow", "UTC", "eur", "2026-01-31", "1,2", "[1]", "09:30", "0.5"]),
    st.integers().map(str),
    st.floats().map(str),
)


@settings(deadline=None, max_examples=examples(100))
@given(st.sampled_from(NAMES), anything)
def test_no_text_leads_to_a_traceback(name, text):
    """It is read or refused in a line that can be printed; what was read reads as itself."""
    try:
        found = read_variables(parse_vars([f"{name}={text}"], {}))
    except WrongUse as error:
        assert error.message.isprintable()
        assert len(error.message) < 300
    else:
        assert read_variables(found.as_json()) == found


@settings(deadline=None, max_examples=examples(60))
@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.text(), st.lists)))
def test_no_json_object_leads_to_a_traceback(given_variables):
    try:
        read_variables(given_variables)
    except WrongUse as error:
        assert error.message.isprintable()


@settings(deadline=None, max_examples=examples(40))
@given(anything)
def test_duckdb_reads_whatever_is_accepted(text):
    """A zone, a day and a time that pass are what the warehouse computes with."""
    for name, sql in {
        "reporting_timezone": "select timestamptz '2026-01-01 00:00:00+00' at time zone '{}'",
        "as_of": "select date '{}'",
        "working_from": "select time '{}'",
    }.items():
        try:
            value = read_variables({name: text}).as_json()[name]
        except WrongUse:
            continue
        if value is not None:
            duckdb.sql(sql.format(value)).fetchall()


def test_duckdb_knows_every_zone():
    names = [it for (it,) in duckdb.sql("select name from pg_timezone_names()").fetchall()]
    assert zoneinfo.available_timezones() - {"localtime"} <= set(names)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("UTC+3", "Etc/GMT-3, which is as far ahead of UTC"),
        ("gmt +03:00", "Etc/GMT-3, which is as far ahead of UTC"),
        ("+0300", "Etc/GMT-3, which is as far ahead of UTC"),
        ("-5", "Etc/GMT+5, which is as far behind UTC"),
        ("UTC+5:30", "write for example Europe/Moscow"),
        ("+25", "write for example Europe/Moscow"),
    ],
)
def test_an_offset_is_no_zone_but_has_one(given, hint):
    with pytest.raises(WrongUse, match=re.escape(hint)):
        read_variables({"reporting_timezone": given})
    assert read_variables({"reporting_timezone": "etc/gmt-3"}).reporting_timezone == "Etc/GMT-3"


def test_numbers_that_python_does_not_read_stay_text():
    assert parse_value("9" * 5_000) == "9" * 5_000
    assert parse_value("[" * 100_000) == "[" * 100_000


@pytest.mark.parametrize("given_as", ["--var", "VORONKA_DBT_VARS"])
def test_the_command_refuses_before_it_touches_anything(tmp_path, zone, given_as):
    raw = zone({"crm.managers": [{"manager_id": "m1", "full_name": "Ann"}]})
    env = {"VORONKA_DATA_DIR": str(tmp_path / "data")}
    options = ["--var", "chrun_days=60"] if given_as == "--var" else []
    if not options:
        env["VORONKA_DBT_VARS"] = '{"chrun_days": 60}'
    done = voronka("refresh", "--raw-dir", raw, *options, env=env)
    assert done.returncode == EXIT_WRONG_USE
    assert done.stderr.splitlines()[0] == (
        "✗ Unknown variable 'chrun_days': did you mean churn_days?"
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "data").exists()


def test_doctor_shows_the_variables_as_they_are_read(tmp_path, zone):
    raw = zone({"crm.managers": [{"manager_id": "m1", "full_name": "Ann"}]})
    env = {"VORONKA_DATA_DIR": str(tmp_path / "data")}
    good = voronka("doctor", "--raw-dir", raw, "--var", "base_currency=eur", env=env)
    assert good.returncode == 0, good.stdout
    assert "base_currency = EUR (default RUB)" in good.stdout
    assert "churn_days = 90\n" in good.stdout
    assert "as_of = not set\n" in good.stdout
    bad = voronka("doctor", "--raw-dir", raw, "--var", "reporting_timezone=MSK", env=env)
    assert bad.returncode == EXIT_WRONG_USE
    assert "✗ reporting_timezone is 'MSK': there is no such time zone" in bad.stdout
