"""What the outlook reads of the past."""

from __future__ import annotations

import duckdb

from orchestration.outlook.history import read_history


def test_who_passed_a_stage_within_a_day_was_in_it() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """
            create schema intermediate; create schema marts;
            create table intermediate.int_outlook__features as select * from (values
                ('d', date '2026-03-02', true, true, false, false, 'sales', 'talk', null, null,
                 'none', 'open', 1::bigint)
            ) as t(deal_id, observed_on, is_as_of, is_week_end, is_month_end, is_forecast_day,
                pipeline_id, stage_id, source_id, deal_type, meeting_state, stage_kind, age_days);
            create table marts.fct_stage_entries as select * from (values
                ('d', 'sales', 'new', 'open', date '2026-03-01'),
                ('d', 'sales', 'talk', 'open', date '2026-03-01'),
                ('d', 'sales', 'won', 'won', date '2026-03-09')
            ) as t(deal_id, pipeline_id, stage_id, stage_kind, entered_on);
            create table intermediate.int_outlook__stays as select * from (values
                ('d', 0, 'unknown', 'unknown', 'open', date '2026-02-20', date '2026-03-01'),
                ('d', 2, 'sales', 'talk', 'open', date '2026-03-01', date '2026-03-09'),
                ('d', 3, 'sales', 'won', 'won', date '2026-03-09', null)
            ) as t(deal_id, entry_no, pipeline_id, stage_id, stage_kind, from_on, until_on);
            create table intermediate.int_refresh__as_of as select date '2026-03-10' as as_of_date;
            """
        )
        history = read_history(connection, "memory", "memory")
    visits = history.visits.sort_values("entered_on")[["stage_id", "entered_on"]]
    assert sorted(visits.itertuples(index=False, name=None)) == [
        ("new", 20513),
        ("talk", 20513),
        ("unknown", 20504),
    ]
