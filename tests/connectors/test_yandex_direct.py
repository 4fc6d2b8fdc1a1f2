"""Yandex Direct's samples, its queue of reports, and days that were corrected."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors.connector import Slice
from orchestration.connectors.kinds.yandex_direct import FIELDS, parsed
from orchestration.connectors.run import check
from tests.connectors.adapter import SAMPLES
from tests.connectors.conftest import Place
from tests.connectors.zone import all_rows, current
from tests.standins.company import Spend
from tests.standins.server import Reply, json_reply
from tests.standins.yandex_direct import (
    LOGIN,
    TOKEN,
    YandexDirectStandIn,
    is_report,
    report_params,
    sample_spending,
)

FOLDER = SAMPLES / "yandex_direct"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TABLE = "marketing.ad_spend"
SECRETS = {"DIRECT_TOKEN": TOKEN}


def keys(standin: YandexDirectStandIn, **more: Any) -> dict[str, Any]:
    return {"kind": "yandex_direct", "base_url": standin.address, "token": "env:DIRECT_TOKEN",
            "source_id": "src-direct", "include_vat": True, "start_date": "2026-10-24",
            **more}  # fmt: skip


def spend(day: str, micros: int = 1_000_000, campaign: int = 1, name: str = "Поиск") -> Spend:
    return Spend(day, campaign, name, micros, 10, 1)


class Direct(YandexDirectStandIn):
    """An advertiser whose statistics a test changes."""

    def __init__(self, *spending: Spend) -> None:
        self.all = list(spending)
        super().__init__(lambda: self.all)

    @property
    def reports(self) -> list[tuple[str, str]]:
        """First and last day of each report that was asked for."""
        found = [report_params(it)["SelectionCriteria"] for it in self.requests if is_report(it)]
        return [(it["DateFrom"], it["DateTo"]) for it in found]


def test_the_sample_report_gives_the_rows_of_the_specification(place: Place) -> None:
    sample = sample_spending((FOLDER / "yandex_direct_report.tsv").read_text(encoding="utf-8"))
    with Direct(*sample) as standin:
        place.connect("direct", keys(standin), SECRETS)
        report = place.good(now=NOW).report
        (asked,) = [it for it in standin.requests if is_report(it)]
    with (FOLDER / "expected_ad_spend.csv").open(encoding="utf-8") as file:
        wanted = [{key: it or None for key, it in row.items()} for row in csv.DictReader(file)]
    found = all_rows(place.raw, TABLE)
    assert [{key: row[key] for key in wanted[0]} for row in found] == wanted
    assert {row["campaign_name"] for row in found} == {"Поиск | окна | Москва", 'РСЯ "тест"'}
    assert report.fetched["/reports"] == report.mapped["/reports"] == 4
    request = Path(FOLDER / "yandex_direct_request.json")
    params, own = json_reply_of(request)["params"], report_params(asked)
    assert own.pop("ReportName").startswith("voronka direct 2026-10-24 2026-11-22 ")
    params.pop("ReportName")
    assert own == params
    assert asked.headers["processingmode"] == "auto"
    assert {"skipreportsummary", "returnmoneyinmicros", "client-login"}.isdisjoint(asked.headers)


def json_reply_of(file: Path) -> dict[str, Any]:
    import json

    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def test_every_sample_file_is_read_by_a_test() -> None:
    folder = Path(__file__).parent
    text = "".join(
        it.read_text(encoding="utf-8")
        for it in (Path(__file__), folder / "adapters/yandex_direct.py")
    )
    assert [it.name for it in FOLDER.iterdir() if it.name not in text] == []


HEAD = "\t".join(FIELDS)
ROW = "2026-11-21\t1\t10\t1\t1000000\tПоиск"


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD,
        f"{HEAD}\n{ROW}\n",
        f"{HEAD}\n{ROW}\n{ROW}\nTotal rows: 1\n",
        f"{HEAD}\n{ROW}\nTotal rows: 2\n",
        f"{HEAD}\n{ROW}\nTotal ro",
        f"{HEAD}\n2026-11-21\t1\t10\nTotal rows: 1\n",
        f"{ROW}\nTotal rows: 1\n",
        f"{HEAD}\n{ROW}\n1\n",
        "<html>1</html>",
    ],
)
def test_a_report_that_is_cut_off_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"it|its"):
        parsed(text, FIELDS)


def test_a_report_may_count_in_any_language_and_a_name_may_hold_tabs() -> None:
    (row,) = parsed(f"{HEAD}\r\n{ROW}\t2\t\r\nВсего строк — 1.\r\n", FIELDS)
    assert row["CampaignName"] == "Поиск\t2\t"
    assert parsed(f"{HEAD}\nTotal rows: 0\n", FIELDS) == []


def test_a_report_without_its_last_line_is_read_again(place: Place) -> None:
    with Direct(spend("2026-11-22")) as standin:
        place.connect("direct", keys(standin), SECRETS)
        standin.faults[1] = Reply(200, f"{HEAD}\n{ROW}\n".encode())
        place.good(now=NOW)
        assert len(standin.reports) == 2
    (row,) = all_rows(place.raw, TABLE)
    assert (row["spend_date"], row["cost"]) == ("2026-11-22", "1.0000")


def test_a_queued_report_is_asked_for_by_its_name_after_the_wait_it_names(place: Place) -> None:
    with Direct(spend("2026-11-22")) as standin:
        standin.queued = (7, 42, 5)
        place.connect("direct", keys(standin), SECRETS)
        place.good(now=NOW)
        names = [report_params(it)["ReportName"] for it in standin.requests if is_report(it)]
    assert len(names) == 4
    assert len(set(names)) == 1
    assert place.clock is not None
    # The campaigns' report, and the account's.
    assert [it for it in place.clock.waits if it >= 5] == [7.0, 42.0, 5.0] * 2
    assert len(all_rows(place.raw, TABLE)) == 1


def test_another_run_asks_under_another_name(place: Place) -> None:
    with Direct(spend("2026-11-22")) as standin:
        place.connect("direct", keys(standin), SECRETS)
        place.good(now=NOW)
        standin.all[0] = spend("2026-11-22", 2_500_000)
        place.good(now=NOW)
    assert current(place.raw, TABLE)["2026-11-22", "src-direct", "1"]["cost"] == "2.5000"


def test_a_report_that_is_too_heavy_is_asked_for_in_halves(place: Place) -> None:
    days = [f"2026-11-{day:02}" for day in range(16, 23)]
    with Direct(*(spend(day) for day in days)) as standin:
        standin.heavy_from = 3
        place.connect("direct", keys(standin, start_date="2026-11-16"), SECRETS)
        place.good(now=NOW)
        read = standin.reports
    assert read[0] == ("2026-11-16", "2026-11-22")
    assert ("2026-11-18", "2026-11-19") in read
    assert sorted(row["spend_date"] for row in all_rows(place.raw, TABLE)) == days


def test_the_last_thirty_days_are_read_again_and_only_what_changed_is_written(
    place: Place,
) -> None:
    with Direct(spend("2026-09-30"), spend("2026-11-20"), spend("2026-11-21")) as standin:
        place.connect("direct", keys(standin, start_date="2026-09-24"), SECRETS)
        place.good(now=NOW)
        assert standin.reports == [("2026-09-24", "2026-10-23"), ("2026-10-24", "2026-11-22")]
        standin.all[1] = spend("2026-11-20", 1_230_000)
        report = place.good(now=NOW + timedelta(days=1)).report
        assert standin.reports[2:] == [("2026-10-24", "2026-11-22"), ("2026-11-23", "2026-11-23")]
    assert report.written[TABLE] == 1
    assert report.unchanged[TABLE] == 1
    assert report.reached == {"ad_spend": "2026-11-24"}


def test_a_day_that_is_not_listed_any_more_is_deleted_and_may_come_back(place: Place) -> None:
    with Direct(spend("2026-11-20"), spend("2026-11-21")) as standin:
        place.connect("direct", keys(standin), SECRETS)
        place.good(now=NOW)
        kept = standin.all.pop()
        assert place.good(now=NOW).report.deleted[TABLE] == 1
        assert place.good(now=NOW).report.written == {}
        assert current(place.raw, TABLE).keys() == {("2026-11-20", "src-direct", "1")}
        standin.all.append(kept)
        place.good(now=NOW)
    assert len(current(place.raw, TABLE)) == 2
    (gone,) = [it for it in all_rows(place.raw, TABLE) if it["is_deleted"]]
    assert {key for key, it in gone.items() if it is not None} == {
        "spend_date", "source_id", "campaign", "is_deleted", "_loaded_at",
    }  # fmt: skip


def test_nothing_is_deleted_when_a_report_cannot_be_read(place: Place) -> None:
    with Direct(spend("2026-11-20")) as standin:
        place.connect("direct", keys(standin), SECRETS)
        place.good(now=NOW)
        standin.all.clear()
        standin.always = lambda it: Reply(200, HEAD.encode()) if is_report(it) else None
        assert place.run(now=NOW).exit_code == 75
    assert len(current(place.raw, TABLE)) == 1


def test_older_corrections_are_asked_for_once_a_day_and_read(place: Place) -> None:
    with Direct(spend("2026-08-05"), spend("2026-11-20")) as standin:
        place.connect("direct", keys(standin, start_date="2026-08-01"), SECRETS)
        place.good(now=NOW)
        standin.all[0] = spend("2026-08-05", 900_000)
        standin.borders = {1: "2026-08-04"}
        place.good(now=NOW)
        place.good(now=NOW + timedelta(hours=1))
        asked = [it for it in standin.requests if it.path == "/changes"]
    assert [it.json["params"]["CampaignIds"] for it in asked] == [[1]]
    assert current(place.raw, TABLE)["2026-08-05", "src-direct", "1"]["cost"] == "0.9000"


def test_a_renamed_campaign_stays_one(place: Place) -> None:
    with Direct(spend("2026-11-20")) as standin:
        place.connect("direct", keys(standin), SECRETS)
        place.good(now=NOW)
        standin.all[0] = spend("2026-11-20", name="Новое имя")
        place.good(now=NOW)
    (row,) = current(place.raw, TABLE).values()
    assert row["campaign_name"] == "Новое имя"


def test_another_source_for_a_campaign_leaves_none_behind(place: Place) -> None:
    with Direct(spend("2026-11-20"), spend("2026-11-20", campaign=2)) as standin:
        place.connect("direct", keys(standin), SECRETS)
        place.good(now=NOW)
        place.connect("direct", keys(standin, campaign_sources={2: "src-brand"}), SECRETS)
        place.good(now=NOW)
    assert current(place.raw, TABLE).keys() == {
        ("2026-11-20", "src-direct", "1"),
        ("2026-11-20", "src-brand", "2"),
    }


@pytest.mark.parametrize(
    ("micros", "cost"),
    [(3_120_450_000, "3120.4500"), (1, "0.000001"), (0, "0.0000"), (10**19, "10000000000000.0000")],
)
def test_costs_are_exact(place: Place, micros: int, cost: str) -> None:
    with Direct(spend("2026-11-20", micros)) as standin:
        place.connect("direct", keys(standin), SECRETS)
        place.good(now=NOW)
    assert all_rows(place.raw, TABLE)[0]["cost"] == cost


def test_what_direct_does_not_say_is_null(place: Place) -> None:
    text = f"{HEAD}\n2026-11-21\t1\t--\t--\t1000000\t--\nTotal rows: 1\n"
    with Direct() as standin:
        place.connect("direct", keys(standin, currency="KZT"), SECRETS)
        standin.always = lambda it: Reply(200, text.encode()) if is_report(it) else None
        place.good(now=NOW)
        assert [it.path for it in standin.requests] == ["/reports"] * 2
    (row,) = all_rows(place.raw, TABLE)
    assert [row[it] for it in ("impressions", "clicks", "campaign_name")] == [None] * 3
    assert row["currency"] == "KZT"


def test_costs_with_a_point_stop_the_run(place: Place) -> None:
    text = f"{HEAD}\n2026-11-21\t1\t10\t1\t3120.45\tПоиск\nTotal rows: 1\n"
    with Direct() as standin:
        place.connect("direct", keys(standin), SECRETS)
        standin.always = lambda it: Reply(200, text.encode()) if is_report(it) else None
        outcome = place.run(now=NOW)
    assert outcome.exit_code == 2
    assert outcome.failure is not None
    assert "returnMoneyInMicros" in outcome.failure.remedy
    assert all_rows(place.raw, TABLE) == []


def test_history_begins_three_years_ago(place: Place) -> None:
    with Direct() as standin:
        place.connect("direct", keys(standin, start_date="2020-01-01", slice="400d"), SECRETS)
        report = place.good(now=NOW).report
        assert standin.reports[0][0] == "2023-11-01"
    assert any("nothing before 2023-11-01" in it for it in report.warnings)


def test_a_long_first_load_goes_on_where_it_ended(place: Place) -> None:
    with Direct(spend("2026-11-20")) as standin:
        place.connect(
            "direct", keys(standin, slice="7d", max_slices_per_run=3, reread="1d"), SECRETS
        )
        first = place.good(now=NOW).report
        place.good(now=NOW)
        read = standin.reports
    assert any("2 of 5 slices" in it for it in first.warnings)
    assert read[2] == ("2026-11-07", "2026-11-13")
    assert read[3][0] == "2026-11-13"
    assert len(current(place.raw, TABLE)) == 1


def test_today_is_read_where_it_is_wanted_by_moscows_calendar(place: Place) -> None:
    late = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
    with Direct() as standin:
        place.connect("direct", keys(standin, slice="60d"), SECRETS)
        place.good(now=late)
        place.connect("direct", keys(standin, slice="60d", include_today=True), SECRETS)
        place.good(now=late)
        assert [it[1] for it in standin.reports] == ["2026-11-23", "2026-11-24"]


def test_a_range_ends_before_its_end(place: Place) -> None:
    with Direct() as standin:
        place.connect("direct", keys(standin), SECRETS)
        asked = Slice(datetime(2026, 11, 1, 21, tzinfo=UTC), datetime(2026, 11, 4, 21, tzinfo=UTC))
        place.good(now=NOW, asked=asked)
        assert standin.reports == [("2026-11-02", "2026-11-04")]


def test_a_check_tells_of_account_total_and_source(place: Place) -> None:
    with Direct(spend("2026-11-20", 5_000_000)) as standin:
        place.connect("direct", keys(standin, client_login=LOGIN), SECRETS)
        standin.more = 20_000
        found = {it.text: it for it in check(place.settings(NOW), "direct")}
    assert f"The token reads the advertiser {LOGIN}" in found
    assert "Cost is with VAT, in RUB" in found
    assert found["1 rows of 2026-11-16 to 2026-11-22"].details == (
        ["2026-11-20 src-direct, 1 Поиск: 5.0000 RUB, 10 shown, 1 clicks"]
    )
    differing = next(it for text, it in found.items() if "the account says 5.0200" in text)
    assert differing.grade == "note"
    assert any("crm.sources is empty" in text for text in found)


def test_a_run_compares_our_sums_with_the_account_s_by_day(place: Place) -> None:
    """A hundredth for each row of a day is rounding; a day that we have no row of is not."""
    spending = [spend("2026-11-20"), spend("2026-11-21", campaign=1), spend("2026-11-21", 5_000, 2)]
    with Direct(*spending) as standin:
        place.connect("direct", keys(standin, slice="7d"), SECRETS)
        report = place.good(now=NOW).report
        assert report.warnings == []
        assert report.totals == {TABLE: {"ours": "2.0050", "the account's": "2.0050"}}
        standin.more = 15_000
        (said,) = place.good(now=NOW).report.warnings
        assert "differ on 2026-11-20: 1.0000 and 1.0150. Yandex Direct may" in said
        assert "2026-11-21" not in said.partition("differ on ")[2]
        standin.more = 0
        standin.always = lambda it: (
            Reply(200, f"{HEAD}\nTotal rows: 0\n".encode()) if is_report(it) else None
        )
        (said,) = place.good(now=NOW).report.warnings
        assert "Campaigns cost 0 on" in said
        assert "2026-11-20: 0 and 1.0000; 2026-11-21: 0 and 1.0050" in said
    asked = [report_params(it) for it in standin.requests if b"ACCOUNT_PERF" in it.body]
    assert len(asked) == 3
    assert asked[0]["FieldNames"] == ["Date", "Cost"]


def test_an_account_s_total_that_is_too_heavy_is_done_without(place: Place) -> None:
    with Direct(spend("2026-11-22")) as standin:
        place.connect("direct", keys(standin, start_date="2026-11-20"), SECRETS)
        standin.always = lambda it: Reply(502, b"heavy") if b"ACCOUNT_PERF" in it.body else None
        report = place.good(now=NOW).report
    assert (report.totals, report.warnings) == ({}, [])
    assert len(all_rows(place.raw, TABLE)) == 1


def test_an_advertiser_who_is_not_listed_is_refused(place: Place) -> None:
    with Direct() as standin:
        place.connect("direct", keys(standin, client_login="somebody"), SECRETS)
        standin.always = lambda it: (
            json_reply({"result": {"Clients": []}}) if it.path == "/clients" else None
        )
        found = list(check(place.settings(NOW), "direct"))
    assert found[-1].grade == "bad"
    assert "somebody" in found[-1].text
