"""The stories planted in the demo company are found by the marts, and nobody else is accused.

The stories are told in seeds/demo/README.md. `demo_publication` is the DuckDB file published
from the committed demo.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from statistics import fmean

import pytest

from seeds.demo.__main__ import SEED, simulate
from seeds.demo.writer import KEYS
from tests.conftest import query

SLACKER, DECAYED, UNHEARING = "m-01", "m-02", "m-03"
JUNE, JULY, AUGUST, SEPTEMBER = (date(2026, month, 1) for month in range(6, 10))


def situations(publication: Path, grain: str) -> set[tuple[date, str, str]]:
    """Who needed a diagnosis, when and for what."""
    return set(
        query(
            publication,
            f"""select distinct period_start, manager_id, situation
                from marts.kpi_diagnostics where period_grain = '{grain}'""",
        )
    )


def causes(publication: Path, grain: str) -> set[tuple[date, str, str, int, str]]:
    """What the diagnosis says it was."""
    return set(
        query(
            publication,
            f"""select period_start, manager_id, situation, check_no, metric
                from marts.kpi_diagnostics
                where period_grain = '{grain}' and verdict = 'cause'""",
        )
    )


def test_every_month_names_the_planted_causes_and_no_other(demo_publication: Path) -> None:
    """Four months, three people, each with the check that the story breaks."""
    assert causes(demo_publication, "month") == {
        (JUNE, SLACKER, "few_meetings_set", 1, "calls_60s"),
        (JUNE, SLACKER, "few_meetings_set", 2, "talk_minutes"),
        (JULY, UNHEARING, "meetings_without_payments", 3, "next_step_rate"),
        (AUGUST, DECAYED, "meetings_without_payments", 1, "target_lead_rate"),
        (SEPTEMBER, DECAYED, "meetings_not_held", 1, "target_lead_rate"),
    }


def test_nobody_else_even_needs_a_diagnosis(demo_publication: Path) -> None:
    """A bystander in a situation would be looked at, also without a cause."""
    assert situations(demo_publication, "month") == {
        (JUNE, SLACKER, "few_meetings_set"),
        (JULY, UNHEARING, "meetings_without_payments"),
        (AUGUST, DECAYED, "meetings_without_payments"),
        (SEPTEMBER, DECAYED, "meetings_not_held"),
    }


def test_a_week_accuses_only_where_a_story_begins(demo_publication: Path) -> None:
    """The first weeks of the stories; after them little has changed from week to week."""
    assert causes(demo_publication, "week") == {
        (date(2026, 6, 1), SLACKER, "few_meetings_set", 1, "calls_60s"),
        (date(2026, 6, 1), SLACKER, "few_meetings_set", 2, "talk_minutes"),
        (date(2026, 6, 29), UNHEARING, "meetings_without_payments", 3, "next_step_rate"),
        (date(2026, 7, 6), UNHEARING, "meetings_without_payments", 3, "next_step_rate"),
        (date(2026, 8, 3), DECAYED, "meetings_without_payments", 1, "target_lead_rate"),
    }


def test_the_slacking_manager_calls_half_as_much(demo_publication: Path) -> None:
    """June against May: fewer conversations, as many leads."""
    ((ratio, leads_taken),) = query(
        demo_publication,
        f"""select
                max(ratio) filter (where metric = 'calls_60s'),
                max(ratio) filter (where metric = 'leads_taken')
            from marts.kpi_diagnostics
            where manager_id = '{SLACKER}' and period_start = date '{JUNE}'
                and period_grain = 'month'""",
    )
    assert ratio == pytest.approx(0.454, abs=0.001)
    assert leads_taken > 1


def test_the_month_of_many_meetings_has_few_payments(demo_publication: Path) -> None:
    """July of who stopped listening: as many meetings held as before, a third as many paid."""
    months = query(
        demo_publication,
        f"""select set_meetings_held, set_meetings_paid
            from marts.kpi_manager_period
            where manager_id = '{UNHEARING}' and period_grain = 'month'
                and period_start between date '{JUNE}' and date '{AUGUST}'
            order by period_start""",
    )
    assert months == [(82, 27), (87, 9), (81, 25)]


def test_the_decaying_source_brings_ever_fewer_target_leads(demo_publication: Path) -> None:
    """The share of target leads of Yandex Direct, month by month."""
    shares = query(
        demo_publication,
        """select round(target_lead_rate, 2)
           from marts.kpi_source_period
           where channel = 'yandex_direct' and period_grain = 'month'
           order by period_start""",
    )
    assert [share for (share,) in shares] == [0.62, 0.6, 0.64, 0.62, 0.32, 0.12]


def test_orders_of_dealers_are_said_to_be_won_as_often_as_they_are(demo_publication: Path) -> None:
    """The generator knows each order's chance: in each tenth what is said is within five points."""
    scored = query(
        demo_publication,
        """select deal_id, win_probability, method from marts.deal_outlook
           where pipeline_id = 'dealers' order by win_probability, deal_id""",
    )
    known = simulate(date(2026, 4, 1), 6, SEED).dealers.chances
    chances = {str(KEYS["deal"][0] + key): chance for key, chance in known.items()}
    assert len(scored) >= 150
    assert {method for _, _, method in scored} == {"model"}
    for tenth in range(10):
        some = scored[len(scored) * tenth // 10 : len(scored) * (tenth + 1) // 10]
        said = fmean(probability for _, probability, _ in some)
        assert said == pytest.approx(fmean(chances[deal] for deal, _, _ in some), abs=0.05), tenth
