"""Refreshes that a person has to accept, as a whole: refused, half accepted, accepted."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest

from orchestration.base.errors import EXIT_STOPPED
from tests.conftest import query, voronka, write_file, write_zone

LATER = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
BASE = {
    "crm.managers": [{"manager_id": "m1", "full_name": "Ann"}],
    "crm.pipelines": [{"pipeline_id": it, "name": it} for it in ("a", "b")],
    "crm.stages": [
        {"stage_id": stage, "pipeline_id": it, "name": stage, "position": 1, "kind": "won"}
        for it in ("a", "b")
        for stage in ("142",)
    ],
    "crm.leads": [
        {"lead_id": f"l{n}", "created_at": datetime(2026, 2, 28, 10, n, tzinfo=UTC)}
        for n in range(30)
    ],
}


@pytest.fixture(scope="module")
def refreshes(tmp_path_factory, parsed):
    """One data directory, and what each of its refreshes said."""
    place = tmp_path_factory.mktemp("acceptance")
    raw = write_zone(place / "raw", BASE)
    env = {"VORONKA_DATA_DIR": str(parsed(place / "data"))}
    published = place / "data/published/voronka.duckdb"
    said = {}

    def refresh(name: str, *options: str) -> None:
        done = voronka("refresh", "--raw-dir", raw, *options, env=env)
        leads = query(published, "select count(*) from marts.fct_leads")[0][0]
        checks = query(
            published,
            "select check_name, status, message from quality.checks where status <> 'pass'",
        )
        said[name] = (done.returncode, done.stdout + done.stderr, leads, checks)

    refresh("good")
    write_file(
        raw / "crm/leads/2026-03-03.parquet",
        [{"_loaded_at": LATER, "lead_id": f"e{n}", "created_at": 1795082400} for n in range(22)],
    )
    write_file(
        raw / "crm/payments/2026-03-03.parquet",
        [
            {
                "_loaded_at": LATER,
                "payment_id": f"p{n}",
                "paid_at": datetime(2026, 3, 2, 10, n, tzinfo=UTC),
                "amount": "10",
                "currency": "USD",
                "kind": "payment",
            }
            for n in range(3)
        ],
    )
    before = (published.stat().st_ino, published.with_name("parquet").readlink())
    refresh("refused")
    refresh("refused again", "--accept-unpriced")
    said["status"] = voronka("status", env=env)
    said["untouched"] = (published.stat().st_ino, published.with_name("parquet").readlink())
    said["untouched"] = said["untouched"] == before, [*published.parents[1].rglob("*.tmp*")]
    refresh("accepted", "--accept-quarantine", "--accept-unpriced")
    refresh("nothing new")
    shutil.rmtree(raw / "crm")
    (raw / "crm/leads").mkdir(parents=True)
    (raw / "crm/leads/leads.csv").write_text("lead_id;created_at")
    refresh("emptied")
    return said


def test_a_stage_of_two_pipelines_is_named(refreshes):
    _, _, _, checks = refreshes["good"]
    (message,) = (text for name, _, text in checks if name.startswith("no_key_stands"))
    assert "crm.stages: 1 key stands for different rows of one file" in message
    assert "differ in pipeline_id: 142 (a, b)" in message


@pytest.mark.parametrize(
    ("name", "failed"),
    [("refused", "2 blocking checks failed."), ("refused again", "1 blocking check failed.")],
)
def test_a_file_of_rubbish_is_refused_however_often_it_is_read(refreshes, name, failed):
    code, text, leads, _ = refreshes[name]
    assert (code, leads) == (EXIT_STOPPED, 30)
    assert f"{failed} Nothing was published." in text
    assert "crm.leads: 22 of 22 new rows (100.0%) are in quarantine: created_at: type" in text
    assert "Unix seconds" in text and "--accept-quarantine" in text
    assert "Traceback" not in text


def test_a_refused_refresh_leaves_what_is_published_and_nothing_else(refreshes):
    assert refreshes["untouched"] == (True, [])


def test_status_says_why_nothing_was_published(refreshes):
    done = refreshes["status"]
    assert done.returncode == EXIT_STOPPED
    assert "did not publish" in done.stdout
    assert "22 of 22 new rows (100.0%) are in quarantine" in done.stdout


@pytest.mark.parametrize("name", ["accepted", "nothing new"])
def test_an_accepted_file_is_published_and_stays_a_warning(refreshes, name):
    code, text, _, checks = refreshes[name]
    assert code == 0, text
    (found,) = (it for it in checks if it[0] == "new_rows_keep_the_contract")
    assert found[1] == "warn"
    assert "published all the same: --accept-quarantine" in found[2]


def test_payments_without_a_rate_are_refused_until_they_are_accepted(refreshes):
    lacks = "revenue lacks 3 of 3 payments (100.0%): no rate of USD (3 rows), first on"
    code, text, _, _ = refreshes["refused"]
    assert code == EXIT_STOPPED and lacks in text
    assert "base_currency" in text and "finance.exchange_rates" in text
    _, text, _, _ = refreshes["refused again"]
    assert lacks not in text
    code, text, _, checks = refreshes["accepted"]
    assert code == 0, text
    assert [status for name, status, _ in checks if name == "money_has_a_rate"] == ["warn"]


def test_a_set_never_gives_way_to_an_empty_one(refreshes):
    code, text, leads, _ = refreshes["emptied"]
    assert (code, leads) == (EXIT_STOPPED, 30)
    text = " ".join(text.split())
    assert "has no row; what lies there is not read: 1 CSV file." in text
    # 1 manager, 2 pipelines, 2 stages, 52 leads, 3 payments.
    assert "What is published was made from 60 raw rows and stays." in text
    assert "crm/leads/leads.csv is no Parquet file: ignored" in text
