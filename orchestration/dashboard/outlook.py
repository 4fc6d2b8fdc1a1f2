"""What the page says of the days ahead: the forecast, deals by expected gain, how good both were.

Figures are the marts'. The list of deals is cut here, so that the page stays small; how many deals
there are, and what they are worth, is in the cube `outlook`, which the filters of the page cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Deals in the list: the first by gain, and the first of each manager, as many of each.
MAX_BY_GAIN = 100
MAX_BY_MANAGER = 100
# Rows of the back-test in a page, whole month ends, the latest: four years of ten pipelines.
MAX_BACKTEST_ROWS = 1_500

# Additive figures of open deals.
OPEN_DEALS = (
    *("outlook_deals", "stale_deals", "deals_without_amount", "deals_without_probability"),
    *("amount", "expected_amount"),
)
OPEN_DEALS_SQL = (
    "(select *, 1 as outlook_deals, is_stale::int as stale_deals, "
    "(amount is null)::int as deals_without_amount, "
    "(win_probability is null)::int as deals_without_probability from marts.deal_outlook)"
)

# A phrase is one text, Russian and English apart by a line break; what is not said is NULL.
_PHRASES = {
    "reason_1": "reason_1_ru || chr(10) || reason_1_en",
    "reason_2": "reason_2_ru || chr(10) || reason_2_en",
    "reason_3": "reason_3_ru || chr(10) || reason_3_en",
    "step": "next_step_ru || chr(10) || next_step_en",
}
_LISTED = (
    "with gains as (select *, next_step_lift * amount::double as gain from marts.deal_outlook), "
    "ordered as (select *, row_number() over (order by is_stale, coalesce(gain, 0) desc, "
    "expected_amount desc nulls last, deal_id) as place, "
    'row_number() over (order by "rank", coalesce(gain, 0) desc, deal_id) as turn from gains), '
    f"listed as (select * from ordered where place <= {MAX_BY_GAIN} or turn <= {MAX_BY_MANAGER}) "
)

Rows = Callable[[str], Sequence[tuple[Any, ...]]]
Table = Callable[[str, Mapping[str, Mapping[Any, int]]], dict[str, Any]]


def outlook(rows: Rows, table: Table) -> dict[str, Any]:
    """Tables by columns; `rows` and `table` read SQL.

    `table` also takes, by column, the positions that stand for the column's values.
    """
    phrases = [
        text
        for (text,) in rows(
            _LISTED
            + " union ".join(f"select {sql} as phrase from listed" for sql in _PHRASES.values())
            + " order by 1"
        )
        if text is not None
    ]
    positions = {text: position for position, text in enumerate(phrases)}
    said = ", ".join(f"{sql} as {name}" for name, sql in _PHRASES.items())
    return {
        "phrases": phrases,
        "deals": table(
            f"{_LISTED} select deal_id, stage_id, manager_id, source_id, round(amount) as amount, "
            "round(paid_amount) as paid, round(win_probability, 4) as probability, "
            "round(win_probability_low, 4) as low, round(win_probability_high, 4) as high, "
            "expected_close_on, round(expected_amount) as expected, days_since_contact as silent, "
            f"is_stale, method, round(gain) as gain, {said} from listed order by place",
            dict.fromkeys(_PHRASES, positions),
        ),
        "forecast": table(
            "select period_start, manager_id = '*' as is_company, manager_id, paid_so_far, "
            "expected_open, expected_won_unpaid, expected_new, expected_repeat, forecast, "
            "forecast_low, forecast_high, target, attainment_forecast "
            "from marts.revenue_forecast order by is_company desc, period_start, manager_id",
            {},
        ),
        "methods": table(
            "select pipeline_id, method, count(*) as deals from marts.deal_outlook "
            "group by all order by deals desc, pipeline_id, method",
            {},
        ),
        "backtest": table(
            "select as_of_on, pipeline_id, method, deals, won, round(brier, 5) as brier, "
            "round(auc, 4) as auc, round(mean_predicted, 4) as mean_predicted, "
            "round(win_rate, 4) as win_rate from (select *, count(*) over "
            "(order by as_of_on desc range unbounded preceding) as rows_since "
            f"from marts.outlook_backtest) where rows_since <= {MAX_BACKTEST_ROWS} "
            "order by pipeline_id, method, as_of_on",
            {},
        ),
        "calibration": table(
            "select pipeline_id, method, tenth, predictions, deals, "
            "round(predicted, 4) as predicted, round(observed, 4) as observed "
            "from marts.outlook_calibration order by pipeline_id, method, tenth",
            {},
        ),
        "forecasts": table(
            "select months_ahead, as_of_on, period_start, round(forecast) as forecast, "
            "round(actual) as actual, round(forecast_low) as low, round(forecast_high) as high, "
            "is_inside from marts.forecast_backtest order by months_ahead, as_of_on",
            {},
        ),
    }
