"""Call evaluations from a REST API by configuration, and from UIS's analysis of calls."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.base.errors import WrongUse
from orchestration.connectors.connector import Slice
from orchestration.connectors.run import check
from tests.connectors.adapter import FIRST, SAMPLES
from tests.connectors.adapters.call_evaluations import REST_MAPPING, UisEvaluations, rest_keys
from tests.connectors.conftest import Place
from tests.connectors.test_evaluations import SESSION, put_calls
from tests.connectors.zone import all_rows, current
from tests.standins.company import small_company
from tests.standins.evaluations import (
    TOKEN,
    RestStandIn,
    UisAnalysisStandIn,
    rest_rows,
    uis_row,
    uis_rows,
)
from tests.standins.server import Reply, json_reply

SECRETS = {"EVALUATIONS_SECRET": TOKEN, "UIS_ANALYSIS_TOKEN": TOKEN}
TABLE = "telephony.call_evaluations"
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FOLDER = SAMPLES / "call_evaluations"
Json = dict[str, Any]


def rest(place: Place, standin: RestStandIn, mapping: Json | None = None, **more: Any) -> None:
    """Connect a REST API; `more` are keys of the block `rest`."""
    place.root.mkdir(parents=True, exist_ok=True)
    file = place.root / "mapping.yaml"
    text = yaml.safe_dump(mapping or REST_MAPPING, allow_unicode=True)
    file.write_text(text, encoding="utf-8")
    place.connect("judge", rest_keys(standin, file, **more), SECRETS)


def company_standin(page_size: int = 1_000) -> RestStandIn:
    company = small_company()
    return RestStandIn(lambda: rest_rows(company), page_size)


def rows(place: Place) -> dict[str, Json]:
    return {key: row for (key,), row in current(place.raw, TABLE).items()}


def test_a_row_becomes_its_score_and_flags(place: Place) -> None:
    with company_standin() as standin:
        rest(place, standin)
        report = place.good(now=FIRST).report
    found = rows(place)
    assert found.keys() == {f"pbx:{number}" for number in range(1, 7)}
    assert found["pbx:5"] == {
        "call_id": "pbx:5", "evaluated_at": "2026-03-04T10:00:00+00:00", "evaluator": "ai",
        "updated_at": "2026-03-04T10:00:00+00:00", "score": "50.00", "needs_found": "true",
        "presentation_made": "false", "objections_handled": "true", "next_step_agreed": "false",
    }  # fmt: skip
    assert report.fetched == report.mapped == {"evaluations": 6}


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"type": "bearer"}, ("authorization", f"Bearer {TOKEN}")),
        ({"type": "api_key", "name": "X-Api-Key"}, ("x-api-key", TOKEN)),
        ({"type": "api_key", "name": "key", "location": "query"}, None),
        ({"type": "http_basic", "username": "reader"},
         ("authorization", "Basic " + base64.b64encode(f"reader:{TOKEN}".encode()).decode())),
    ],
)  # fmt: skip
def test_each_way_to_log_in(place: Place, auth: Json, header: tuple[str, str] | None) -> None:
    with company_standin() as standin:
        rest(place, standin, auth=auth)
        place.good(now=FIRST)
    assert len(rows(place)) == 6
    for request in standin.requests:
        assert header is None or request.headers[header[0]] == header[1]
    hidden = [TOKEN, base64.b64encode(f"reader:{TOKEN}".encode()).decode()]
    for file in place.root.rglob("*"):
        assert not file.is_file() or not [it for it in hidden if it.encode() in file.read_bytes()]


def oauth(standin: RestStandIn, address: str = "") -> Json:
    return {"type": "oauth2_client_credentials", "client_id": "voronka",
            "access_token_url": f"{address or standin.address}/oauth/token"}  # fmt: skip


def test_an_oauth_token_that_ends_early_is_bought_again_once(place: Place) -> None:
    with company_standin(page_size=2) as standin:
        rest(place, standin, auth=oauth(standin))

        def end(request: Any) -> None:
            if request.query.get("offset") == "2" and standin.issued == 1:
                standin.tokens.clear()

        standin.always = end
        place.good(now=FIRST)
        assert (standin.issued, len(rows(place))) == (2, 6)
        standin.always = lambda it: (
            json_reply({"error": "over"}, 401) if it.path != "/oauth/token" else None
        )
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "over" in outcome.failure.message
    for file in place.root.rglob("*"):
        assert not file.is_file() or b"session-secret" not in file.read_bytes()


def test_a_refused_client_is_said_in_the_system_s_words(place: Place) -> None:
    with company_standin() as standin:
        rest(place, standin, auth=oauth(standin))
        place.monkeypatch.setenv("EVALUATIONS_SECRET", "another-secret")
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "invalid_client" in outcome.failure.message
    assert "env:EVALUATIONS_SECRET" in outcome.failure.remedy


@pytest.mark.parametrize(
    "paginator",
    [
        {"type": "offset", "limit": 2},
        {"type": "offset", "limit": 2, "total_path": None},
        {"type": "range", "start_param": "offset", "end_param": "until_row", "limit": 2},
    ],
)
def test_pages_are_turned_to_the_end(place: Place, paginator: Json) -> None:
    with company_standin(page_size=2) as standin:
        rest(place, standin, paginator=paginator)
        place.good(now=FIRST)
    assert len(rows(place)) == 6


def test_pages_that_are_shorter_than_they_were_asked_for_lose_nothing(place: Place) -> None:
    with company_standin(page_size=2) as standin:
        rest(place, standin, paginator={"type": "offset", "limit": 1_000})
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 75
    assert outcome.failure is not None
    assert "2 rows came, and it says 6" in outcome.failure.message
    assert "limit in rest.paginator" in outcome.failure.remedy


def test_a_parameter_that_the_system_does_not_know_is_noticed(place: Place) -> None:
    with company_standin(page_size=2) as standin:
        rest(place, standin, paginator={"type": "page_number", "page_param": "p",
                                        "total_path": None})  # fmt: skip
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "the same page came twice" in outcome.failure.message


@pytest.mark.parametrize(
    ("paginator", "said"),
    [
        ({"type": "offset", "limmit": 5}, "limmit"),
        ({"type": "offset", "limit": 5, "total_path": "count"}, "count"),
        ({"type": "json_link", "next_url_path": "$.["}, "rest.paginator"),
    ],
)
def test_a_paginator_that_does_not_fit_is_refused(place: Place, paginator: Json, said: str) -> None:
    with company_standin() as standin:
        rest(place, standin, paginator=paginator)
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2, outcome.failure
    assert outcome.failure is not None
    assert said in outcome.failure.message
    assert "\n" not in outcome.failure.message


def test_a_next_page_on_another_host_is_refused_before_the_secret_goes_there(place: Place) -> None:
    following = {"items": [], "next": "http://127.0.0.1:9/v1/evaluations?page=2"}
    with company_standin() as standin:
        rest(place, standin, paginator={"type": "json_link", "next_url_path": "next"})
        standin.always = lambda it: json_reply(following)
        outcome = place.run(now=FIRST)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "its next page is on another host, 127.0.0.1" in outcome.failure.message


def test_a_list_without_a_range_is_read_whole_and_written_once(place: Place) -> None:
    with company_standin() as standin:
        rest(place, standin, params={})
        place.good(now=FIRST)
        report = place.good(now=FIRST + timedelta(days=1)).report
    assert report.written == {}
    assert report.unchanged[TABLE] == 6
    assert len(rows(place)) == 6


def test_a_range_is_asked_for_in_slices_in_the_system_s_own_words(place: Place) -> None:
    mapping = {**REST_MAPPING, "values": {"timezone": "Europe/Moscow"}}
    with company_standin() as standin:
        rest(place, standin, mapping, method="POST", params={},
             body={"since": "{from}", "until": "{to}"})  # fmt: skip
        keys = {**place.connections["judge"], "slice": "5d", "reread": "2d"}
        place.connect("judge", keys, SECRETS)
        place.good(now=FIRST)
        asked = [it.json for it in standin.requests]
        assert [it["since"] for it in asked] == ["2026-03-01T00:00:00", "2026-03-06T00:00:00"]
        place.good(now=FIRST + timedelta(hours=1))
        assert standin.requests[-1].json["since"] == "2026-03-08T09:00:00"
        place.good(now=FIRST, asked=Slice(datetime(2026, 3, 2, tzinfo=UTC)))
        assert standin.requests[-2].json["since"] == "2026-03-02T03:00:00"


def test_numbers_are_exact_and_unix_times_are_read(place: Place) -> None:
    text = (
        '{"total": 1, "items": [{"call": {"session": 9}, "at": 1772618400123, "judge": "ai",'
        ' "made_at": "x", "result": {"points": 8.005, "of": 10}, "insights": []}]}'
    )
    columns = {**REST_MAPPING["columns"], "evaluated_at": {"from": "at", "as": "unix"}}
    with company_standin() as standin:
        rest(place, standin, {**REST_MAPPING, "columns": columns})
        standin.always = lambda it: Reply(200, text.encode(), {"Content-Type": "application/json"})
        place.good(now=FIRST)
    row = rows(place)["pbx:9"]
    assert row["score"] == "80.05"
    assert str(row["evaluated_at"]).startswith("2026-03-04T10:00:00.123")
    assert row["needs_found"] is None


def test_the_sample_checklist_is_read_by_a_mapping(place: Place) -> None:
    """The product names no call: it is found by another list's ids; here by the checklist's."""
    sample = json.loads((FOLDER / "call_evaluations_checklist_points.json").read_text("utf-8"))
    mapping = {
        "table": TABLE,
        "values": {"timezone": "Europe/Moscow"},
        "call": {"telephony": "uis", "by": ["linked_id"], "linked_id": "item_set_id"},
        "criteria": {"list": "insights", "name": "criterion_name", "score": "score"},
        "columns": {
            "evaluated_at": {"from": "created_at", "as": "timestamp"},
            "score": {"from": "total", "as": "score"},
            "needs_found": {"criteria": ["Выяв*потребност*"]},
            "next_step_agreed": {"criteria": ["Следующий шаг"]},
            "presentation_made": {"criteria": ["Презентация"]},
        },
    }
    with RestStandIn(lambda: [{**sample, "total": "67%"}]) as standin:
        rest(place, standin, mapping, params={}, paginator="single_page")
        place.good(now=NOW)
    (row,) = rows(place).values()
    assert row["evaluated_at"] == "2026-11-23T10:20:00+03:00"
    flags = (row["needs_found"], row["next_step_agreed"], row["presentation_made"])
    assert (row["score"], *flags) == ("67.00", "true", "false", None)


def test_forms_limit_an_api_to_one_checklist(place: Place) -> None:
    mapping = {**REST_MAPPING, "form": "checklist", "forms": ["Входящий"]}
    with company_standin() as standin:
        rest(place, standin, mapping)
        report = place.good(now=FIRST).report
    assert rows(place).keys() == {"pbx:1", "pbx:2", "pbx:5", "pbx:6"}
    assert report.counted["evaluations by another checklist: Исходящий"] == 2


def test_a_check_shows_what_becomes_of_a_row(place: Place) -> None:
    with company_standin() as standin:
        rest(place, standin, {**REST_MAPPING, "form": "checklist"})
        found = {it.text: it for it in check(place.settings(FIRST), "judge")}
        assert "6 rows on the first page" in found
        assert "result.points → score" in found["What becomes of it"].details
        assert "0 of 6 evaluations have their call in the raw zone" in found
        several = found["Calls may have several evaluations, of which the latest counts"]
        assert several.details == ["checklists: Входящий, Исходящий"]
        said = list(check(place.settings(FIRST), "judge", file=Path("x.csv")))
    assert said[0].text == "judge reads a REST API, and no file"
    assert not place.raw.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"folder": "x"}, "needs either folder, or base_url and rest"),
        ({"rest": None}, "needs either folder, or base_url and rest"),
        ({"base_url": ""}, "rest needs base_url"),
        ({"secret": None}, "rest.auth of type bearer needs secret: env:NAME"),
        ({"start_date": None}, "{from} in rest needs start_date"),
        ({"rest": {"path": "x"}}, "rest.paginator"),
        ({"rest": {"path": "x", "paginator": "auto"}}, "its type is one of single_page"),
        ({"rest": {"path": "x", "paginator": "single_page", "auth": {"type": "http_basic"}}},
         "type http_basic needs username"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_block_is_said(place: Place, change: Json, said: str) -> None:
    with company_standin() as standin:
        rest(place, standin)
        place.connect("judge", {**place.connections["judge"], **change}, {})
        with pytest.raises(WrongUse) as caught:
            place.run(now=FIRST)
    assert said in "".join(caught.value.details)
    assert standin.requests == []


def uis(place: Place, standin: UisAnalysisStandIn, **more: Any) -> None:
    place.connect("ai", {**UisEvaluations().keys(standin), **more}, SECRETS)


def test_the_sample_of_uis_gives_its_score_and_flags_on_the_longest_leg(place: Place) -> None:
    sample = json.loads(
        (FOLDER / "call_evaluations_uis_scenario_result.json").read_text(encoding="utf-8")
    )
    put_calls(place.raw, [{**it, "linked_id": "uis:700001"} for it in SESSION])
    with UisAnalysisStandIn(lambda: sample) as standin:
        uis(place, standin, forms=[])
        place.good(now=NOW)
    assert rows(place) == {
        "uis:3": {
            "call_id": "uis:3", "evaluated_at": "2026-11-24T09:00:00+00:00",
            "updated_at": "2026-11-24T09:00:00+00:00", "evaluator": "uis", "score": "67.00",
            "needs_found": "true", "presentation_made": None, "objections_handled": None,
            "next_step_agreed": None,
        }
    }  # fmt: skip


def test_only_what_comes_after_the_last_evaluation_is_asked_for(place: Place) -> None:
    company = small_company()
    listed = uis_rows(company)
    with UisAnalysisStandIn(lambda: listed, page_size=4) as standin:
        uis(place, standin)
        assert place.good(now=FIRST).report.reached == {"scenario_result": "34006"}
        starts = [it.query["_start"] for it in standin.requests]
        assert starts == ["0", "4", "6"]
        listed.append(uis_row(34_010, company.calls[0]))
        place.good(now=FIRST + timedelta(hours=1))
        assert [it.query["_start"] for it in standin.requests[3:]] == ["5", "7"]


def test_rows_that_were_taken_away_hide_no_new_ones(place: Place) -> None:
    company = small_company()
    listed = uis_rows(company)
    with UisAnalysisStandIn(lambda: listed) as standin:
        uis(place, standin, page=2)
        place.good(now=FIRST)
        # Four older ones go, and two new ones come: they lie before the place that was reached.
        del listed[:4]
        listed += [uis_row(34_010, company.calls[0]), uis_row(34_011, company.calls[1])]
        report = place.good(now=FIRST + timedelta(hours=1)).report
    assert report.fetched["/scenario_result"] == 2
    times = [it["evaluated_at"] for it in all_rows(place.raw, TABLE)]
    assert times.count("2026-03-10T07:00:00+00:00") == 2


def test_a_newer_evaluation_of_a_call_is_the_current_one(place: Place) -> None:
    company = small_company()
    listed = uis_rows(company)
    with UisAnalysisStandIn(lambda: listed) as standin:
        uis(place, standin)
        place.good(now=FIRST)
        again = uis_row(34_010, company.calls[0])
        again["result"]["scenario"]["percent_completion"] = 99
        listed.append(again)
        place.good(now=FIRST + timedelta(hours=1))
    assert rows(place)["uis:700001"]["score"] == "99.00"


def test_a_check_of_uis_names_scenarios_and_criteria(place: Place) -> None:
    company = small_company()
    listed = uis_rows(company)
    listed[0]["scenario_name"] = "Исходящий"
    with UisAnalysisStandIn(lambda: listed) as standin:
        uis(place, standin, forms=[], flags={"needs_found": {"criteria": ["Приветствие"]}})
        found = {it.text: it for it in check(place.settings(FIRST), "ai")}
    assert "Scenarios: Входящий звонок, Исходящий" in found
    odd = found["needs_found: no criterion of the first page fits"]
    assert "Выявил потребность" in odd.details
    assert "Calls may have several evaluations, of which the latest counts" in found
    assert not place.raw.exists()
