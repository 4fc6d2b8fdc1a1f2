"""Which raw tables a figure needs, and what is said where they are empty."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from orchestration.base.settings import Settings
from orchestration.cli.doctor import examine
from orchestration.metrics.exports import Export, not_loaded
from orchestration.metrics.glossary import read_metrics
from orchestration.metrics.needs import Needs, in_words
from orchestration.metrics.query import Answer
from orchestration.metrics.show import show_answer
from orchestration.raw_zone.contract import load_contract
from tests.conftest import ROOT, write_zone

CATALOGUE = read_metrics(ROOT)
WORDS = {"telephony.calls", "crm.activities", "crm.meetings"}


def lacks(name: str, *empty: str, by: tuple[str, ...] = ()) -> tuple[str, tuple[str, ...]]:
    """What makes a metric unknown, and what it is only partly known for."""
    absence = Needs(CATALOGUE, empty).absence(name, by)
    return absence.text, absence.partly


def test_every_metric_says_which_tables_it_needs() -> None:
    needs = Needs(CATALOGUE, ())
    found = {metric.name: needs.of(metric.name) for metric in CATALOGUE.metrics.values()}
    # Findings of data checks are of all tables.
    assert [name for name, clauses in found.items() if not clauses] == ["rows"]
    named = {table for clauses in found.values() for clause in clauses for table in clause}
    assert named <= set(load_contract(ROOT).tables)


@pytest.mark.parametrize(
    ("name", "empty", "missing", "partly"),
    [
        ("revenue", {"crm.surveys"}, "", ()),
        ("revenue", {"crm.payments"}, "crm.payments", ()),
        # A ratio needs what its parts need, each table once.
        ("csat", {"crm.surveys"}, "crm.surveys", ()),
        ("call_to_meeting_rate", WORDS, "crm.meetings, telephony.calls", ()),
        # Without stages nothing is ever won: 0 won deals would be a lie.
        ("deals_won", {"crm.stages"}, "crm.stages", ()),
        ("open_deals", {"crm.stages"}, "", ()),
        # One of several tables will do, and what is missing of them is said.
        ("sales_actions", {"crm.activities"}, "", ("crm.activities",)),
        ("sales_actions", WORDS, "telephony.calls or crm.activities or crm.meetings", ()),
        ("cac", {"marketing.ad_spend"}, "", ("marketing.ad_spend",)),
        ("cac", {"marketing.ad_spend", "crm.payments"}, "crm.payments", ("marketing.ad_spend",)),
        # Its own needs go before those of what it is measured on.
        ("new_customers", {"crm.contacts"}, "crm.contacts", ()),
    ],
)
def test_a_figure_lacks_what_is_empty(
    name: str, empty: set[str], missing: str, partly: tuple[str, ...]
) -> None:
    assert lacks(name, *empty) == (missing, partly)


def test_a_dimension_needs_more() -> None:
    assert lacks("calls", "telephony.extensions") == ("", ())
    assert lacks("calls", "telephony.extensions", by=("manager",)) == ("telephony.extensions", ())
    assert lacks("answer_rate", "telephony.extensions", by=("manager",))[0] == (
        "telephony.extensions"
    )
    assert lacks("revenue", "crm.deals", by=("manager",))[0] == "crm.deals"
    assert lacks("leads_created", "telephony.extensions", by=("manager", "source")) == ("", ())


def test_metrics_with_the_same_needs_stand_together() -> None:
    groups = Needs(CATALOGUE, ()).groups()
    names = [name for group in groups for name in group.names]
    assert sorted(names) == sorted({metric.name for metric in CATALOGUE.public} - {"rows"})
    (surveys,) = [group for group in groups if in_words(group.clauses) == "crm.surveys"]
    assert surveys.names == ("surveys", "surveys_positive", "survey_score", "csat")
    assert surveys.by_manager == ()
    (calls,) = [group for group in groups if "calls_missed" in group.names]
    assert in_words(calls.by_manager) == "telephony.extensions"


def test_a_scorecard_names_its_unknown_figures() -> None:
    export = Export("card", "", ("revenue", "calls", "refunds", "csat"), "week", ("manager",))
    needs = Needs(CATALOGUE, {"crm.payments", "telephony.extensions"})
    assert not_loaded(export, needs) == (
        "revenue, refunds: crm.payments; calls: telephony.extensions"
    )
    assert not_loaded(export, Needs(CATALOGUE, {"crm.quotas"})) is None


def test_doctor_lists_what_the_figures_need(tmp_path: Path) -> None:
    zone = write_zone(
        tmp_path / "raw", {"crm.leads": [{"lead_id": "l", "created_at": "2026-01-01"}]}
    )
    settings = Settings(project_dir=ROOT, data_dir=tmp_path / "data", raw_dir=str(zone))
    (found,) = [item for item in examine(settings) if "taken as empty" in item.text]
    assert found.grade == "note" and "crm.payments" in found.text
    assert "– surveys, surveys_positive, survey_score, csat: crm.surveys" in found.details
    assert (
        "– deals_created, open_deals, open_amount, open_deals_without_amount: crm.deals"
        in found.details
    )
    known = [line for line in found.details if line.startswith("✓")]
    assert len(known) == 1 and known[0].startswith("✓ leads_created, leads_taken, leads_target")
    assert known[0].endswith(": crm.leads")


def test_an_answer_shows_no_zero_for_what_cannot_be_known() -> None:
    names = ("revenue", "cpl", "ad_spend")
    answer = Answer(
        columns=("source", *names),
        rows=[("cold", 0, 0, 0)],
        metrics={name: CATALOGUE.metrics[name] for name in names},
        not_loaded={"revenue": "crm.payments"},
    )
    console = Console(file=io.StringIO(), width=200)
    show_answer(console, answer, "en")
    assert isinstance(console.file, io.StringIO)
    _, row, remark = console.file.getvalue().splitlines()
    # A lead that cost no advertising has no price; that nothing was spent is known.
    assert row.split() == ["cold", "–", "–", "0"]
    assert remark == "Revenue: not loaded, there are no rows in crm.payments"
