"""A company whose deals' chances are known: what the outlook says is held against them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from orchestration.outlook.history import History

EPOCH = date(1970, 1, 1)
FIRST = (date(2024, 1, 1) - EPOCH).days
STAGES = ("first", "second", "third")


@dataclass(frozen=True)
class Company:
    """How a company's deals go: chances of a week at a stage, moved by a signal and by time.

    `signal` is the weight of what can be seen of a deal, in logits of winning; `win_share` the
    share of closings that are won at signal 0; `closing` the chance of a week that a deal closes,
    by stage; `later_share` another win share for what closes after the middle of the time.
    """

    deals: int = 1500
    days: int = 420
    signal: float = 0.0
    win_share: float = 0.4
    closing: tuple[float, float, float] = (0.12, 0.2, 0.3)
    later_share: float | None = None
    loses_late: bool = False
    seed: int = 1


def history_of(company: Company) -> tuple[History, pd.DataFrame]:
    """The history of a company; and by deal the probability that it is won, if it closes."""
    rng = np.random.default_rng(company.seed)
    as_of = FIRST + company.days - 1
    observations, closings, visits, truths = [], [], [], []
    for number in range(company.deals):
        created = FIRST + int(rng.integers(0, company.days))
        signal, noise = rng.normal(size=2)
        deal = f"d{number:05}"
        stage, entered, day, outcome = 0, created, created, None
        visits.append((deal, "sales", STAGES[0], created))
        logit = np.log(company.win_share / (1 - company.win_share)) + company.signal * signal
        chance = 1 / (1 + np.exp(-logit))
        truths.append((deal, chance))
        while day <= as_of:
            weekday = (EPOCH + timedelta(days=day)).weekday()
            is_month_end = (EPOCH + timedelta(days=day + 1)).day == 1
            of_month = (EPOCH + timedelta(days=day)).day
            if weekday == 6 or is_month_end or of_month in (1, 10, 20) or day == as_of:
                observations.append(
                    (
                        *(deal, day, day == as_of, weekday == 6, is_month_end),
                        *(of_month in (1, 10, 20), STAGES[stage], "sales", "open"),
                        *("none", "", "", float(stage + 1), float(day - created)),
                        *(float(day - entered), float(rng.integers(0, 20))),
                        *(np.exp(signal), np.exp(noise), float(stage + 1)),
                    )
                )
            day += 1
            weekly = company.closing[stage]
            if rng.random() < weekly / 7:
                is_late = day - FIRST > company.days / 2
                share = chance
                if company.later_share is not None and is_late:
                    share = company.later_share
                if company.loses_late:
                    share = 0.9 if day - created < 30 else 0.2
                outcome = bool(rng.random() < share)
                break
            if stage < 2 and rng.random() < 0.1 / 7 * 3:
                stage, entered = stage + 1, day
                visits.append((deal, "sales", STAGES[stage], day))
        if outcome is not None and day <= as_of:
            closings.append((deal, "sales", outcome, day, 999_999_999))
    columns = [
        *("deal_id", "observed_on", "is_as_of", "is_week_end", "is_month_end"),
        *("is_forecast_day", "stage_id", "pipeline_id", "stage_kind"),
        *("meeting_state", "source_id", "deal_type", "entry_no", "age_days"),
        *("days_in_stage", "days_since_contact"),
        *("conversations", "messages_out", "stage_no"),
    ]
    return (
        History(
            pd.DataFrame(observations, columns=columns).sort_values(["observed_on", "deal_id"]),
            pd.DataFrame(
                closings, columns=["deal_id", "pipeline_id", "is_won", "closed_on", "reopened_on"]
            ),
            pd.DataFrame(visits, columns=["deal_id", "pipeline_id", "stage_id", "entered_on"]),
            as_of,
        ),
        pd.DataFrame(truths, columns=["deal_id", "chance"]).set_index("deal_id"),
    )
