"""What is learned from the past of deals, on companies whose chances are known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from orchestration.base.settings import Settings
from orchestration.outlook import scoring
from orchestration.outlook.backtest import (
    COMPANY_RATE,
    MODEL,
    NONE,
    STAGE_RATE,
    Judged,
    predict,
    rate_intervals,
)
from orchestration.outlook.curve import EDGES, Curve
from orchestration.outlook.history import History
from orchestration.outlook.model import Model
from orchestration.outlook.rates import rates_at
from orchestration.outlook.scoring import reasons, score
from orchestration.outlook.step import read_phrases
from orchestration.outlook.training import Training
from tests.conftest import ROOT
from tests.unit.outlook_company import FIRST, Company, history_of


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As a refresh learns: several threads wait for each other longer than they work."""
    with threadpool_limits(1):
        yield


@cache
def judged(company: Company) -> tuple[History, pd.DataFrame, Judged]:
    """Its history, the truth, and the predictions of all month ends that can be judged."""
    history, truth = history_of(company)
    said = [predict(history, day, curve_at(history, day)) for day in history.month_ends()]
    return history, truth, Judged.of(pd.concat(said), history, history.as_of)


def model_at(history: History, day: int) -> Model:
    training = Training.at(history, day)
    assert training is not None
    return Model(training)


def curve_at(history: History, day: int) -> Curve | None:
    """What the model of a day says of the deals of that day; None where there is too little."""
    training = Training.at(history, day)
    return None if training is None else Model(training).curve(history.at(day))


def known(history: History, day: int) -> tuple[int, str, bytes]:
    """What marks that something else was known at the end of a day."""
    training = Training.at(history, day)
    assert training is not None
    return history.known_at(day), training.fingerprint, history.hashes_at(day).tobytes()


def brier(rows: pd.DataFrame, method: str) -> float:
    return float(((rows[method] - rows.is_won) ** 2).mean())


RANDOM = Company(seed=2)
SIGNAL = Company(signal=1.0, seed=2)


def test_random_outcomes_are_said_to_be_random() -> None:
    history, _, past = judged(RANDOM)
    rows = past.rows[past.rows[MODEL].notna()]
    scores = past.scores()
    of_model = scores[scores.method == MODEL]
    auc = (of_model.auc * of_model.deals).sum() / of_model.deals.sum()
    assert abs(auc - 0.5) < 0.05
    assert past.pipelines_of_the_model() == []
    scored = score(history, history.as_of, curve_at(history, history.as_of), past, 0)
    assert set(scored.method) == {STAGE_RATE}
    assert brier(rows, STAGE_RATE) < 1.01 * brier(rows, COMPANY_RATE)
    # What is not used does little harm, too.
    assert brier(rows, MODEL) < 1.03 * brier(rows, COMPANY_RATE)


def test_a_planted_signal_is_found() -> None:
    history, truth, past = judged(SIGNAL)
    rows = past.rows[past.rows[MODEL].notna()]
    assert past.pipelines_of_the_model() == ["sales"]
    assert brier(rows, MODEL) < 0.9 * brier(rows, STAGE_RATE)
    # The plain regression on the same features, of closed deals alone.
    plain = []
    for day in sorted(rows.observed_on.unique()):
        model, seen = model_at(history, int(day)), history.week_ends_before(int(day))
        is_won = history.outcomes(int(day)).is_won[history.deals[seen]]
        seen, is_won = history.observations.iloc[seen[~np.isnan(is_won)]], is_won[~np.isnan(is_won)]
        fitted = LogisticRegression(max_iter=500).fit(model.encoded(seen), is_won == 1)
        now = history.at(int(day))
        chance = fitted.predict_proba(model.encoded(now))[:, 1]
        plain.append(now[["deal_id", "observed_on"]].assign(plain=chance))
    rows = rows.merge(pd.concat(plain), on=["deal_id", "observed_on"])
    assert brier(rows, MODEL) < 1.02 * brier(rows, "plain")
    # And the chances themselves are near: a tenth of what the rate misses them by.
    scored = score(history, history.as_of, curve_at(history, history.as_of), past, 0)
    chances = truth.loc[scored.deal_id].chance.to_numpy()
    missed = ((scored.win_probability - chances) ** 2).mean()
    assert missed < 0.15 * ((chances.mean() - chances) ** 2).mean()


def test_what_speaks_for_winning_in_one_pipeline_may_speak_against_it_in_another() -> None:
    """Common slopes would cancel each other out, and say the pipelines' mean of every deal."""
    one, chances = history_of(SIGNAL)
    other, contrary = history_of(Company(signal=-1.0, seed=3))
    other = History(
        *(_renamed(rows) for rows in (other.observations, other.closings, other.visits)),
        other.as_of,
    )
    both = History(
        pd.concat([one.observations, other.observations]).sort_values(["observed_on", "deal_id"]),
        pd.concat([one.closings, other.closings]),
        pd.concat([one.visits, other.visits]),
        one.as_of,
    )
    truth = pd.concat([chances, contrary.rename(index=lambda deal: f"other {deal}")]).chance
    observed = both.at(both.as_of)
    missed = model_at(both, both.as_of).curve(observed).given_closing - truth[observed.deal_id]
    spread = truth[observed.deal_id] - truth[observed.deal_id].mean()
    for pipeline in ("sales", "other"):
        of_it = (observed.pipeline_id == pipeline).to_numpy()
        assert (missed[of_it] ** 2).mean() < 0.15 * (spread[of_it] ** 2).mean()


def _renamed(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows of another pipeline."""
    return rows.assign(deal_id="other " + rows.deal_id.astype(object), pipeline_id="other")


def test_a_win_rate_that_doubles_shows_in_the_back_test() -> None:
    _, _, past = judged(Company(win_share=0.25, later_share=0.5))
    scores = past.scores()
    scores = scores[scores.method == STAGE_RATE]
    half = FIRST + 210
    after = scores[(scores.as_of_on > half - 10) & (scores.as_of_on < half + 60)]
    before = scores[scores.as_of_on < half - 60]
    assert (after.win_rate - after.mean_predicted).min() > 0.15
    assert abs((before.win_rate - before.mean_predicted).mean()) < 0.06
    last = scores.iloc[-1]
    assert last.mean_predicted > after.mean_predicted.iloc[0] + 0.05


def test_open_deals_count_for_what_they_are() -> None:
    """Deals are won early or lost late: the closed ones of a short past were won."""
    company = Company(loses_late=True, days=120, deals=900)
    history, _ = history_of(company)
    model = model_at(history, history.as_of)
    observed = history.at(history.as_of)
    longer, _ = history_of(Company(loses_late=True, days=420, deals=3150))
    later = longer.outcomes(longer.as_of)
    truth = np.nanmean(later.is_won)
    closed = np.nanmean(history.outcomes(history.as_of).is_won)
    young = observed[observed.age_days < 14]
    assert closed > truth + 0.05
    assert abs(model.curve(young).given_closing.mean() - truth) < abs(closed - truth)


def test_probabilities_fit_together() -> None:
    history, _, past = judged(SIGNAL)
    scored = score(history, history.as_of, curve_at(history, history.as_of), past, 3)
    months = scored.closes_this_month_probability + scored.closes_next_month_probability
    assert (months <= scored.win_probability + 2e-6).all()
    assert (scored.closes_this_month_probability >= 0).all()
    assert (scored.closes_next_month_probability >= 0).all()
    assert (scored.win_probability_low <= scored.win_probability).all()
    assert (scored.win_probability_high >= scored.win_probability).all()
    paid = scored[[f"paid_in_{number}" for number in range(scoring.PERIODS)]]
    assert (paid.to_numpy() >= 0).all()
    assert (paid.sum(axis=1) <= scored.win_probability + 2e-6).all()
    assert (scored.median_days.dropna() >= 0).all()


def test_the_same_history_says_the_same_in_any_order() -> None:
    history, _, past = judged(SIGNAL)
    shuffled = History(
        history.observations.sample(frac=1, random_state=1).sort_values(["observed_on", "deal_id"]),
        history.closings,
        history.visits.sample(frac=1, random_state=1),
        history.as_of,
    )
    one = score(history, history.as_of, curve_at(history, history.as_of), past, 0)
    other = score(shuffled, history.as_of, curve_at(shuffled, history.as_of), past, 0)
    pd.testing.assert_frame_equal(one, other)
    assert known(history, history.as_of) == known(shuffled, history.as_of)


def test_what_comes_later_does_not_change_what_was_known() -> None:
    history, _, _ = judged(SIGNAL)
    day = history.month_ends()[4]
    cut = History(
        history.observations[history.observations.observed_on <= day],
        history.closings[history.closings.closed_on <= day],
        history.visits[history.visits.entered_on <= day],
        day,
    )
    assert known(history, day) == known(cut, day)
    assert not set(known(history, day)).intersection(known(history, day + 1))
    pd.testing.assert_frame_equal(
        predict(history, day, curve_at(history, day)), predict(cut, day, curve_at(cut, day))
    )


@pytest.mark.parametrize(("deals", "method"), [(30, NONE), (60, STAGE_RATE)])
def test_few_closed_deals_claim_nothing(deals: int, method: str) -> None:
    history, _ = history_of(Company(deals=deals))
    closed = len(history.closings)
    assert (closed < 30) == (method == NONE)
    past = Judged.of(predict(history, history.as_of, None), history, history.as_of)
    scored = score(history, history.as_of, curve_at(history, history.as_of), past, 0)
    assert set(scored.method) == {method}
    numbers = scored.columns[scored.columns.get_loc("win_probability") :]
    assert scored[numbers].isna().all(axis=None) == (method == NONE)


def test_a_pipeline_with_few_closed_deals_takes_the_company_rate() -> None:
    history, _ = history_of(Company(deals=80))
    other = history.observations.deal_id.isin(history.at(history.as_of).deal_id.iloc[:2])
    moved = history.observations.assign(
        pipeline_id=history.observations.pipeline_id.astype(object).where(~other, "new")
    )
    changed = History(moved, history.closings, history.visits, history.as_of)
    past = Judged.of(predict(changed, changed.as_of, None), changed, changed.as_of)
    scored = score(changed, changed.as_of, None, past, 0)
    found = scored[scored.pipeline_id == "new"]
    known = pd.Series(history.outcomes(history.as_of).is_won).dropna()
    assert list(found.method) == [COMPANY_RATE] * 2
    assert found.win_probability.tolist() == [round(known.mean(), 6)] * 2
    won = known.sum() + 5 * known.mean()
    lost = len(known) - known.sum() + 5 * (1 - known.mean())
    assert found.win_probability_low.iloc[0] == round(beta.ppf(0.1, won, lost), 6)
    assert found.win_probability_high.iloc[0] == round(beta.ppf(0.9, won, lost), 6)


def test_the_stage_rate_leans_on_the_pipelines() -> None:
    """Worked by hand: 30 of 60 closed deals won; of 3 that were at `late` all 3."""
    closings = pd.DataFrame(
        [(f"d{n:02}", "sales", n < 30, FIRST + n, 999_999_999) for n in range(60)],
        columns=["deal_id", "pipeline_id", "is_won", "closed_on", "reopened_on"],
    )
    visits = pd.DataFrame(
        [(f"d{n:02}", "sales", "early", FIRST) for n in range(60)]
        + [(f"d{n:02}", "sales", "late", FIRST) for n in range(3)],
        columns=["deal_id", "pipeline_id", "stage_id", "entered_on"],
    )
    observed = pd.DataFrame(
        {
            "deal_id": ["x", "y"],
            "observed_on": FIRST + 100,
            "pipeline_id": "sales",
            "stage_id": ["late", "elsewhere"],
            "is_week_end": False,
        }
    )
    history = History(observed, closings, visits, FIRST + 100)
    rates = rates_at(history, FIRST + 100)
    said = rates.of(history.at(FIRST + 100))
    assert said.stage_rate.tolist() == [(3 + 5 * 0.5) / 8, 0.5]
    assert (said.won.tolist(), said.lost.tolist()) == ([5.5, 2.5], [2.5, 2.5])
    # A day before the last one closed, half of 58.
    assert rates_at(history, FIRST + 57).company.closed.tolist() == [58]


def test_a_rate_without_a_loss_is_sure() -> None:
    low, high = rate_intervals(np.array([35.0, 5.5]), np.array([0.0, 2.5]))
    assert (low[0], high[0]) == (1.0, 1.0)
    assert (low[1], high[1]) == (beta.ppf(0.1, 5.5, 2.5), beta.ppf(0.9, 5.5, 2.5))


def test_the_interval_is_of_the_hundred_nearest_predictions() -> None:
    said = np.linspace(0, 1, 400)
    rows = pd.DataFrame(
        {
            "deal_id": [f"d{n:03}" for n in range(400)],
            MODEL: said,
            "is_won": (said > 0.6).astype(float),
        }
    )
    low, high = Judged(rows).intervals(np.array([0.1, 0.99, 0.5]))
    assert (low[0], high[0]) == (beta.ppf(0.1, 0.5, 100.5), 0.1)
    assert (low[1], high[1]) == (beta.ppf(0.1, 100.5, 0.5), 0.99) or high[1] > 0.99
    # From 0.375 to 0.625: ten of the hundred lie above 0.6.
    assert low[2] == pytest.approx(beta.ppf(0.1, 10.5, 90.5), abs=0.02)
    assert high[2] == 0.5


def test_days_are_read_off_the_curve() -> None:
    won = np.array([[0.1, 0.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]])
    curve = Curve(np.array([0.5]), won)
    assert curve.won_within(0) == 0
    assert curve.won_within(7) == pytest.approx(0.1)
    assert curve.won_within(21) == pytest.approx(0.3)
    assert curve.won_within(10_000) == pytest.approx(0.4)
    assert curve.median_days() == EDGES[1]


def test_reasons_name_what_moves_a_deal_in_both_languages() -> None:
    history, _, past = judged(SIGNAL)
    model = model_at(history, history.as_of)
    scored = score(history, history.as_of, model.curve(history.at(history.as_of)), past, 0)
    told = reasons(history, scored, model, read_phrases(Settings(project_dir=ROOT)))
    assert set(told.deal_id) == set(scored.deal_id)
    first = told.reason_1.value_counts()
    # The signal is what can be seen as conversations.
    assert first.index[0] == "conversations"
    row = told[told.reason_1 == "conversations"].iloc[0]
    assert row.reason_1_en.startswith("conversations ") and row.reason_1_en.endswith(" pp")
    assert row.reason_1_ru.startswith("разговоров ") and row.reason_1_ru.endswith(" п. п.")
    weights = told.reason_1_en.dropna().str.extract(r": ([+−])(\d+) pp$")
    assert (weights[1].astype(int) >= 1).all()
    second = told.dropna(subset=["reason_2"])
    sizes = [
        frame.str.extract(r"(\d+) pp$")[0].astype(int)
        for frame in (second.reason_1_en, second.reason_2_en)
    ]
    assert (sizes[0] >= sizes[1]).all()
