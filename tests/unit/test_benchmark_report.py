"""The benchmark's arithmetic, and that the documents say what its JSON files say."""

from __future__ import annotations

import duckdb
import pytest

from tests.benchmark import profiles, reads, report
from tests.benchmark.refreshes import Interval, ancestors, intervals, layer_seconds, middle, share
from tests.benchmark.report import Row, allowed, growth, target_table, targets, too_fast, written


def result(scale: str, rows: int, **figures: object) -> dict[str, object]:
    return {
        "scale": scale,
        "calls": rows,
        "measured": {"full": {"on": "2026-11-22", "repeats": 3}},
        "machine": {
            "cores": 2,
            "memory_bytes": 8 * 2**30,
            "system": "Linux",
            "python": "3.12.1",
            "duckdb": "1.5.5",
        },
        "zone": {"rows": rows},
        **figures,
    }


def test_the_documents_are_what_the_json_files_say():
    stale = [
        path.name
        for path, text in report.documents().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `make performance`"


def test_a_section_without_its_markers_is_refused(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Nothing\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="put them back"):
        report.documents(tmp_path, readme)


def test_parts_of_several_days_and_repeats_are_told():
    parts = {
        "full": {"on": "2026-11-20", "repeats": 3},
        "reads": {"on": "2026-11-22", "repeats": 1},
    }
    said = report._measured([result("s", 1000), result("l", 50_000, measured=parts)])
    assert "2026-11-20 to 2026-11-22; medians of 3 (s), 1–3 (l) runs." in said


def test_a_figure_may_grow_as_n_log_n_and_no_faster():
    small = result("s", 1000, full={"seconds": 10.0, "steps": {"models": 1.0, "metrics": 1.0}})
    large = result("m", 10_000, full={"seconds": 40.0, "steps": {"models": 13.0, "metrics": 14.0}})
    assert allowed([small, large]) == [pytest.approx(13.333, abs=0.001)]
    assert too_fast([small, large]) == ["metrics"]


def test_what_was_not_measured_has_no_growth():
    assert growth(Row("x", (None, 2.0, 6.0), "s", grows=True), []) == [None, 3.0]
    assert growth(Row("x", (1.0, 2.0), "share"), []) == [None]


def test_targets_are_met_missed_or_open():
    found = result(
        "l",
        1000,
        full={"seconds": 100.0, "peak_bytes": 5 * 2**30},
        day={"day": {"seconds": 9.0}},
    )
    verdicts = {target.label: (target.value, target.is_met) for target in targets([found])}
    assert verdicts["a day's refresh, of the full one"] == (0.09, True)
    assert verdicts["memory of the full refresh"] == (5 * 2**30, False)
    assert verdicts["the job on an empty zone"] == (None, False)
    lines = "\n".join(target_table([found]))
    assert "| memory of the full refresh | ≤ 4.00 GB | 5.00 GB | **missed** |" in lines
    assert "| the job on an empty zone | ≤ 12.0 s | – |  |" in lines


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "–"),
        (1234567.0, "count", "1,234,567"),
        (1.5 * 2**30, "bytes", "1.50 GB"),
        (5 * 2**20, "bytes", "5 MB"),
        (0.0834, "share", "8.3%"),
        (1.987, "times", "1.99×"),
        (12.345, "s", "12.3 s"),
        (123.45, "ms", "123 ms"),
    ],
)
def test_figures_are_written_for_people(value, unit, text):
    assert written(value, unit) == text


def test_every_moment_is_shared_among_those_that_run_in_it():
    ran = [Interval("a", 0, 4), Interval("b", 2, 6), Interval("a2", 8, 9)]
    assert share(ran, {"a", "a2"}) == 2 + 1 + 1
    assert share(ran, {"b"}) == 1 + 2
    assert share([], {"a"}) == 0


def test_ancestors_are_models_and_seeds_but_no_sources():
    manifest = {
        "parent_map": {
            "model.v.kpi_daily": ["model.v.fct", "seed.v.days"],
            "model.v.fct": ["source.v.calls"],
            "model.v.other": ["model.v.fct"],
        }
    }
    assert ancestors(manifest, "kpi_daily") == {"model.v.kpi_daily", "model.v.fct", "seed.v.days"}
    assert ancestors({}, "kpi_daily") == set()


def test_a_node_ran_from_its_compilation_to_its_end():
    timing = [
        {"started_at": "2026-01-01T00:00:01Z", "completed_at": "2026-01-01T00:00:02Z"},
        {"started_at": "2026-01-01T00:00:02Z", "completed_at": "2026-01-01T00:00:05Z"},
    ]
    skipped = {"unique_id": "model.v.b", "timing": []}
    (only,) = intervals({"results": [{"unique_id": "model.v.a", "timing": timing}, skipped]})
    assert (only.node, only.ended - only.started) == ("model.v.a", 4.0)


def test_layers_are_added_up_with_the_tests_apart():
    models = [
        {"schema": "marts", "seconds": 1.5},
        {"schema": "staging", "seconds": 2.0},
        {"schema": "marts", "seconds": 2.5},
        {"schema": "main", "seconds": 9.0},
    ]
    results = {"results": [{"unique_id": "test.v.x", "execution_time": 0.5, "timing": []}]}
    assert layer_seconds(models, results) == {"marts": 4.0, "staging": 2.0, "tests": 0.5}


def test_the_middle_of_several_runs_is_taken_figure_by_figure():
    runs = [
        {"seconds": 3.0, "steps": {"a": 1.0}, "equal": True},
        {"seconds": 1.0, "steps": {"a": 5.0, "b": 2.0}, "equal": True},
        {"seconds": 2.0, "steps": {"a": 3.0, "b": 4.0}, "equal": True},
    ]
    assert middle(runs) == {"seconds": 2.0, "steps": {"a": 3.0, "b": 2.0}, "equal": True}


def test_percentiles_are_the_nearest_rank_in_milliseconds():
    assert reads.percentiles([0.001 * n for n in range(100, 0, -1)]) == {
        "p50": pytest.approx(50),
        "p95": pytest.approx(95),
    }
    assert reads.percentiles([0.004]) == {"p50": 4.0, "p95": 4.0}
    assert reads.percentiles([]) == {}


def test_questions_to_facts_are_counted_apart():
    queries = {"k": "select 1 from marts.kpi_daily", "f": "select 1 from marts.fct_calls as c"}
    found = reads.summary([("k", 0.001), ("f", 0.1), ("k", 0.002)], queries)
    assert found["questions"] == 3
    assert found["marts"] == {"p50": 1.0, "p95": 2.0}
    assert found["facts"] == {"p50": 100.0, "p95": 100.0}


def test_operators_are_named_by_their_share_and_without_paths():
    tree = {
        "latency": 2.0,
        "children": [
            {
                "operator_name": "HASH_JOIN",
                "operator_timing": 3.0,
                "operator_cardinality": 7,
                "extra_info": {"Conditions": ["a = b", "c > d"]},
                "children": [
                    {
                        "operator_name": "SEQ_SCAN ",
                        "operator_timing": 1.0,
                        "operator_cardinality": 9,
                        "extra_info": {"Table": "build.marts.x", "Text": "/home/somebody/file"},
                    }
                ],
            }
        ],
    }
    found = profiles.operators(tree)
    assert found["seconds"] == 2.0
    assert [(each["share"], each["detail"]) for each in found["operators"]] == [
        (0.75, "a = b, c > d"),
        (0.25, "build.marts.x"),
    ]


@pytest.mark.parametrize("takes_columns", [False, True])
def test_readers_answer_until_the_time_is_over(tmp_path, takes_columns):
    file = tmp_path / "published.duckdb"
    duckdb.connect(str(file)).close()
    case = reads.Case("2 readers", 2, 0.01, takes_columns=takes_columns)
    found = reads.measure(file, {"one": "select 1", "two": "select 2"}, case, seconds=0.2)
    assert {name for name, _ in found} == {"one", "two"}
    assert all(seconds > 0 for _, seconds in found)
