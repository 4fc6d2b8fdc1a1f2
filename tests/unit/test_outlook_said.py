"""What was said before is said again only where it would be the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import jinja2
import pandas as pd
import pytest

from orchestration.base.settings import Settings
from orchestration.outlook.history import History
from orchestration.outlook.rounds import Rounds
from orchestration.outlook.said import CURVES, PREDICTIONS, SCORES, Said
from orchestration.outlook.step import read_phrases
from tests.conftest import ROOT
from tests.unit.outlook_company import Company, history_of

TABLES = ("curves", "predictions", "scores", "reasons", "judged", "backtest", "fingerprints")
COMPANY = Company(deals=900, days=300, signal=1.5, seed=2)


@contextmanager
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A private build with the empty tables that dbt makes."""
    macros = (ROOT / "dbt_project/macros/create_outlook.sql").read_text(encoding="utf-8")
    found: list[dict[str, str]] = []
    jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(
        macros + "{{ outlook_tables() }}", globals={"return": found.append}
    ).render()
    with duckdb.connect() as connection:
        connection.execute("create schema outlook; create schema intermediate")
        connection.execute(
            "create table intermediate.int_outlook__payment_lags as "
            "select date '2024-07-10' as observed_on, 3 as lag_days"
        )
        for table, columns in found[0].items():
            connection.execute(f"create table outlook.{table} ({columns})")
        yield connection


def said_of(connection: duckdb.DuckDBPyConnection, history: History, terms: str = "") -> Said:
    return Said(connection, "memory", history, terms)


def learn(connection: duckdb.DuckDBPyConnection, history: History) -> int:
    return Rounds(said_of(connection, history), read_phrases(Settings(project_dir=ROOT))).run()


def rows(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: connection.execute(f"select * from outlook.{table} order by all").fetchall()
        for table in TABLES
    }


def from_scratch(history: History) -> dict[str, list[tuple[object, ...]]]:
    with warehouse() as connection:
        learn(connection, history)
        return rows(connection)


def with_late_calls(history: History, deals: list[str], since: int) -> History:
    """Calls of old days that turn out to be of these deals."""
    late = history.observations.deal_id.isin(deals) & (history.observations.observed_on >= since)
    changed = history.observations.assign(
        conversations=history.observations.conversations + late.astype(float)
    )
    return History(changed, history.closings, history.visits, history.as_of)


def cut_at(history: History, day: int) -> History:
    """The history as it was on a day."""
    seen = history.observations[history.observations.observed_on <= day]
    closings = history.closings[history.closings.closed_on <= day]
    visits = history.visits[history.visits.entered_on <= day]
    return History(seen.assign(is_as_of=seen.observed_on == day), closings, visits, day)


def test_late_calls_change_what_depends_on_them_and_nothing_else() -> None:
    history, _ = history_of(COMPANY)
    # A deal that is open today: no model of an earlier month has learned of its last weeks.
    deal = history.at(history.as_of).sort_values("age_days").deal_id.iloc[40]
    later = with_late_calls(history, [str(deal)], history.as_of - 20)
    with warehouse() as connection:
        all_models = learn(connection, history)
        before = rows(connection)
        said = said_of(connection, later)
        days = set(later.observations.observed_on[later.observations.deal_id == deal])
        touched = {day for day in days if day >= history.as_of - 20}
        for kind in (CURVES, PREDICTIONS, SCORES):
            missing = {day for day in said.days(kind) if not said.holds(kind, day)}
            assert min(missing, default=history.as_of) >= min(touched)
        assert 1 <= learn(connection, later) < all_models / 2
        assert rows(connection) == from_scratch(later) != before
        # The model speaks of deals here, and gives its reasons.
        assert before["reasons"]
        assert learn(connection, later) == 0


def test_a_late_call_to_a_deal_of_long_ago_is_followed_everywhere() -> None:
    history, _ = history_of(COMPANY)
    first = history.closings.sort_values("closed_on").deal_id.iloc[:3]
    later = with_late_calls(history, [str(it) for it in first], 0)
    with warehouse() as connection:
        learn(connection, history)
        learn(connection, later)
        assert rows(connection) == from_scratch(later)


def test_days_that_pass_give_what_one_build_gives() -> None:
    """Today's model is of today; once the day is past, a forecast of it is by its month end's."""
    history, _ = history_of(COMPANY)
    today = max(day for day in history.forecast_days() if day <= history.as_of - 10)
    with warehouse() as connection:
        learn(connection, cut_at(history, today))
        assert said_of(connection, cut_at(history, today)).is_current
        learn(connection, history)
        assert rows(connection) == from_scratch(history)


def test_a_company_with_too_few_closed_deals_for_a_model_is_followed() -> None:
    history, _ = history_of(Company(deals=50, days=120))
    with warehouse() as connection:
        assert learn(connection, cut_at(history, history.forecast_days()[-1])) == 0
        assert learn(connection, history) == 0
        assert rows(connection) == from_scratch(history)
        assert rows(connection)["scores"] and not rows(connection)["curves"]


def test_other_tools_say_all_anew() -> None:
    history, _ = history_of(Company(deals=200, days=120))
    with warehouse() as connection:
        learn(connection, history)
        assert said_of(connection, history).is_current
        other = said_of(connection, history, "another version")
        assert not any(other.holds(CURVES, day) for day in other.days(CURVES))


def test_a_run_that_is_stopped_leaves_what_was_there() -> None:
    history, _ = history_of(Company(deals=200, days=120))
    with warehouse() as connection:
        learn(connection, cut_at(history, history.forecast_days()[-1]))
        before = rows(connection)
        said = said_of(connection, history)
        with pytest.raises(KeyboardInterrupt), said.writing():
            said.replace("judged", pd.DataFrame())
            raise KeyboardInterrupt
        assert rows(connection) == before
