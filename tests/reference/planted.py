"""Writes a raw zone in which who is written to again wins more often: steps have evidence there.

Each deal has a contact of its own, lies for a month, is then written to or not, and closes on the
45th day, if that has come. Meetings are set, too, but change nothing.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FIRST_DAY = date(2025, 1, 6)
_STAGES = {"new": "open", "talk": "presale", "won": "won", "lost": "lost"}


def write_planted(raw: Path, seed: int, deals: int = 420) -> Path:
    """Write the zone into a folder and return it; its last deals are open."""
    rows = _rows(random.Random(seed), deals)
    for table, own in rows.items():
        folder = raw / table.replace(".", "/")
        folder.mkdir(parents=True)
        names = list(dict.fromkeys(name for row in own for name in row))
        columns = {
            name: pa.array([_text(row.get(name)) for row in own], "string") for name in names
        }
        columns["_loaded_at"] = pa.array(["2026-12-01T00:00Z"] * len(own), "string")
        pq.write_table(pa.table(columns), folder / "0.parquet")
    return raw


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _rows(rng: random.Random, deals: int) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {
        "crm.managers": [{"manager_id": key, "full_name": key} for key in ("anna", "boris")],
        "crm.pipelines": [{"pipeline_id": "sales", "name": "Sales"}],
        "crm.stages": [
            {"stage_id": key, "pipeline_id": "sales", "name": key, "position": place, "kind": kind}
            for place, (key, kind) in enumerate(_STAGES.items())
        ],
        **{f"crm.{name}": [] for name in ("contacts", "deals", "deal_stage_history")},
        **{f"crm.{name}": [] for name in ("activities", "meetings", "payments", "quotas")},
    }
    today = datetime.combine(FIRST_DAY + timedelta(days=deals), time(17), UTC)
    for number in range(deals):
        begin = datetime.combine(
            FIRST_DAY + timedelta(days=number), time(rng.randrange(5, 16)), UTC
        )
        _add_deal(rng, rows, f"d{number:04}", begin, today)
    rows["crm.quotas"] += [
        {
            "manager_id": "anna",
            "metric": "revenue",
            "period": "month",
            "period_start": today.date().replace(day=1),
            "target": 500_000,
        }
    ]
    return rows


def _add_deal(
    rng: random.Random, rows: dict[str, Any], deal: str, begin: datetime, today: datetime
) -> None:
    is_written_to, has_meeting = rng.random() < 0.5, rng.random() < 0.4
    is_won = rng.random() < (0.8 if is_written_to else 0.25)
    entries = [("new", begin)]
    if rng.random() < 0.5:
        entries.append(("talk", begin + timedelta(days=rng.randrange(1, 20))))
    entries.append(("won" if is_won else "lost", begin + timedelta(days=45)))
    entries = [(stage, at) for stage, at in entries if at <= today]
    amount = rng.choice((None, *range(10_000, 90_000, 7_919)))
    rows["crm.contacts"].append({"contact_id": deal, "created_at": begin})
    rows["crm.deals"].append(
        {
            "deal_id": deal,
            "contact_id": deal,
            "manager_id": rng.choice(("anna", "boris")),
            "pipeline_id": "sales",
            "stage_id": entries[-1][0],
            "amount": amount,
            "deal_type": rng.choice(("new", "repeat")),
            "created_at": begin,
        }
    )
    rows["crm.deal_stage_history"] += [
        {"event_id": f"{deal}-{stage}", "deal_id": deal, "stage_id": stage, "entered_at": at}
        for stage, at in entries
    ]
    written_at = begin + timedelta(days=rng.randrange(31, 37))
    if is_written_to and written_at <= today:
        rows["crm.activities"].append(
            {"activity_id": deal, "kind": "message", "deal_id": deal, "happened_at": written_at}
        )
    set_at = begin + timedelta(days=rng.randrange(0, 12))
    if has_meeting and set_at <= today:
        rows["crm.meetings"].append({"meeting_id": deal, "deal_id": deal, "set_at": set_at})
    paid_at = begin + timedelta(days=45 + rng.randrange(20))
    if is_won and amount and rng.random() < 0.8 and paid_at <= today:
        rows["crm.payments"].append(
            {
                "payment_id": deal,
                "deal_id": deal,
                "paid_at": paid_at,
                "amount": amount,
                "kind": "payment",
            }
        )
