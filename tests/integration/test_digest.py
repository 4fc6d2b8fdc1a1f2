"""`voronka digest` on the demo, as docs/digest.md shows it, and alerts of a real refresh."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration.base.settings import Settings
from orchestration.digest.facts import Reader
from orchestration.digest.freshness import Calendar, read_loads
from orchestration.digest.links import Page
from orchestration.digest.recipients import Role
from orchestration.digest.run import Run
from orchestration.digest.words import Words
from orchestration.digest.writing import Writer
from orchestration.serving.session import Warehouse
from orchestration.serving.viewer import Viewer
from tests.conftest import ROOT, query, voronka
from tests.standins.server import Reply, Request, StandIn, json_reply
from tests.standins.telegram import TOKEN, TelegramStandIn

MORNING = datetime(2026, 10, 1, 5, 30, tzinfo=UTC)
HEADS = """
recipients:
  olga: {role: head, to: json://127.0.0.1/olga}
  mary: {role: head, language: en, to: json://127.0.0.1/mary}
"""


class Hook(StandIn):
    """Takes any request."""

    def answer(self, request: Request) -> Reply:
        return json_reply({})


@pytest.fixture
def demo(demo_publication: Path, tmp_path: Path) -> Settings:
    file = tmp_path / "notifications.yml"
    file.write_text(HEADS)
    return Settings(
        data_dir=demo_publication.parents[1],
        notifications=file,
        now=MORNING,
        page_url="https://sales.example.com/",
    )


def test_the_page_of_docs_shows_what_the_demo_sends(demo):
    drafts = Run(demo).digests(is_dry=True).drafts
    sent = [f"{it.message.title}\n\n{it.message.text}".replace("\u00a0", " ") for it in drafts]
    docs = (ROOT / "docs/digest.md").read_text(encoding="utf-8")
    assert re.findall(r"```text\n(.*?)\n```", docs, re.DOTALL) == sent


def test_figures_of_the_head_are_those_of_the_marts(demo):
    (draft, _) = Run(demo).digests(is_dry=True).drafts
    file = demo.published_file
    ((deals, leads),) = query(
        file,
        "select sum(deals_won)::bigint, sum(leads_created)::bigint from marts.kpi_daily "
        "where date_day = date '2026-09-30'",
    )
    assert f"• Выигранные сделки: {deals}\n• Новые лиды: {leads}\n" in draft.message.text
    ((actual, target, pace),) = query(
        file,
        "select sum(actual_to_date)::bigint, sum(target)::bigint, "
        "round(100 * sum(actual_to_date) / sum(target_to_date))::bigint "
        "from marts.quota_attainment where metric = 'set_meetings_held' and period = 'month' "
        "and period_start = date '2026-09-01'",
    )
    text = draft.message.text.replace("\u00a0", " ")
    assert (
        f"• Состоялось назначенных встреч: {actual} из {target}, 98 % плана, темп {pace} %" in text
    )


@pytest.mark.parametrize("manager", ["m-02", "m-05", "m-10"])
def test_a_manager_of_the_demo_reads_of_nobody_else(demo, manager):
    calendar = Calendar.published(demo)
    loads = read_loads(demo, "Europe/Moscow", calendar)
    warehouse = Warehouse(demo)
    with warehouse.session(Viewer("one", managers=frozenset({manager}))) as session:
        morning = Reader(session, loads, date(2026, 10, 1), "Europe/Moscow").morning()
        writer = Writer(morning, session.metrics.catalogue, Words("ru", "RUB"), Page("", "ru"), UTC)
        text = writer.message(Role.MANAGER, {}).text
    warehouse.close()
    others = query(
        demo.published_file,
        "select manager_name from marts.dim_manager "
        f"where manager_id not in ('{manager}', 'unknown')",
    )
    assert [name for (name,) in others if name in text] == []
    deals = re.findall(r"Сделка (\S+)", text)
    owners = query(
        demo.published_file, "select deal_id, manager_id from marts.fct_deals order by 1"
    )
    assert {dict(owners)[deal] for deal in deals} <= {manager}


def test_telegram_gets_the_morning_through_the_command(demo, tmp_path):
    file = tmp_path / "notifications.yml"
    file.write_text("recipients:\n  olga: {role: head, days_off: true, to: 'tgram://${BOT}/42'}\n")
    # A data directory of its own for the journal; what is published is the demo's.
    data = tmp_path / "data"
    data.mkdir()
    for part in ("published", "build"):
        (data / part).symlink_to(demo.data / part)
    with TelegramStandIn(tmp_path) as telegram:
        env = {
            **telegram.environment,
            "VORONKA_DATA_DIR": str(data),
            "VORONKA_NOTIFICATIONS": str(file),
            "VORONKA_NOW": MORNING.isoformat(),
            "BOT": TOKEN,
        }
        done = voronka("digest", env=env)
        again = voronka("digest", env=env)
    assert done.returncode == 0, done.stderr
    assert "olga (tgram): Утро: четверг, 1\u00a0октября" in done.stdout
    assert (again.returncode, "sent already" in again.stdout) == (0, True)
    (message,) = telegram.messages
    assert message["chat_id"] == 42
    lines = message["text"].split("\r\n")
    assert lines[:3] == [
        "<b>Утро: четверг, 1 октября</b>", "<b>Вчера, 30 сентября</b>", "• Выручка: 1,5 млн ₽",
    ]  # fmt: skip
    assert TOKEN not in done.stdout + done.stderr


def test_a_refresh_that_fails_tells_engineers_and_ends_as_it_would(tmp_path):
    raw = tmp_path / "raw/crm/deals/bad.parquet"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"no parquet")
    file = tmp_path / "notifications.yml"
    env = {"VORONKA_DATA_DIR": str(tmp_path / "data"), "VORONKA_NOTIFICATIONS": str(file)}
    with Hook() as hook:
        address = f"{hook.address.replace('http', 'json')}/on_call?retry=0"
        file.write_text(
            "alerts_after_refresh: true\nrecipients:\n  on_call: {role: engineer, language: en, "
            f"days_off: true, to: '{address}'}}\n"
        )
        hook.faults = {1: Reply(500)}
        first, second = (
            voronka("refresh", "--raw-dir", tmp_path / "raw", env=env) for _ in range(2)
        )
    assert [first.returncode, second.returncode] == [2, 2]
    assert "An alert was not sent. on_call (json): Failed to send" in first.stderr
    assert "alert" not in second.stderr
    # It waited, and came with the next refresh, which found nothing new to tell.
    _, request = hook.requests
    body = json.loads(request.body)
    assert body["title"] == "Voronka: The refresh failed"
    assert body["message"].startswith("The raw zone breaks the contract: 1 problem.\nWhat to do: ")
