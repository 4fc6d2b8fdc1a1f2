"""One company through every system ends in the same rows and marts, but for what is listed."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builds import Build
from tests.conftest import write_zone
from tests.connectors.conftest import Place
from tests.one_company import truth as company_itself
from tests.one_company.compare import (
    Names,
    Table,
    counts,
    differences,
    explained,
    listed,
    listed_marts,
    marts,
    zone,
)
from tests.one_company.story import COSTS, NOW, PLANS, RATES, YANDEX_CAMPAIGNS, Timeline, night
from tests.one_company.systems import ADAPTERS, CRMS, TELEPHONIES, System, crm_keys
from tests.standins.google_ads import ACCOUNT, GoogleAdsStandIn
from tests.standins.workbook import write_workbook
from tests.standins.yandex_direct import YandexDirectStandIn

crms = pytest.mark.parametrize("system", CRMS, ids=lambda it: it.name)
telephonies = pytest.mark.parametrize("system", TELEPHONIES, ids=lambda it: it.name)
_TELEPHONY = ("conversations", "rings", "telephony.extensions")
_OTHERS = ("crm.quotas", "marketing.ad_spend", "finance.exchange_rates", "finance.sales_costs")


class Zones:
    """The zone that the company's own words make, and one for each system; each is made once."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._made: dict[str, Path] = {}
        self._marts: dict[str, Mapping[str, Table]] = {}
        self.timeline = Timeline()

    def truth(self) -> Path:
        """What the company itself says."""
        if "truth" not in self._made:
            self.timeline.show(NOW)
            rows = company_itself.rows(self.timeline.company)
            self._made["truth"] = write_zone(self._folder / "truth/raw", rows)
        return self._made["truth"]

    def crm(self, system: System) -> Path:
        """The CRM's own tables."""
        if system.name not in self._made:
            place = Place(self._folder / system.name, self._monkeypatch)
            self._read(place, system, crm_keys(system, self.timeline.company))
            self._made[system.name] = place.raw
        return self._made[system.name]

    def telephony(self, system: System) -> Path:
        """The telephony's own tables, beside a CRM that says what the company says."""
        if system.name not in self._made:
            place = self.beside_the_crm(system.name)
            self._read(place, system, system.keys)
            self._made[system.name] = place.raw
        return self._made[system.name]

    def beside_the_crm(self, name: str) -> Place:
        """A place whose zone has the CRM's tables in the company's own words."""
        place = Place(self._folder / name, self._monkeypatch)
        self.timeline.show(NOW)
        rows = company_itself.crm(self.timeline.company)
        write_zone(place.raw, company_itself.loaded(rows))
        return place

    def marts(self, name: str, raw: Path, names: Names, rows: company_itself.Rows) -> Any:
        """What a whole build makes of a zone, to which these rows are added."""
        if name not in self._marts:
            whole = self._folder / f"whole-{name}/raw"
            shutil.copytree(raw, whole)
            write_zone(whole, rows)
            build = Build(self._folder / f"whole-{name}/data", whole)
            build.refresh()
            self._marts[name] = marts(build.files[1], names(whole))
        return self._marts[name]

    def _read(self, place: Place, system: System, keys: Mapping[str, Any]) -> None:
        """Run the connection as the command does, as often as the system's entry says."""
        adapter, timeline = system.adapter, self.timeline
        with adapter.standin(timeline.company) as standin:
            given = {**adapter.keys(standin), **keys}
            kept = {key: it for key, it in given.items() if it is not None}
            place.connect("shop", kept, adapter.secrets())
            for moment in system.loads:
                timeline.show(moment)
                if hasattr(standin, "write"):
                    standin.write()
                place.good(now=moment)


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zones]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Zones(tmp_path_factory.mktemp("systems"), monkeypatch)


def true_names(raw: Path) -> Names:
    return Names(raw, lambda key: int(key[1:]), {})


def names_of(system: System) -> Any:
    prefix = f"{system.name}-"
    return lambda raw: Names(
        raw, lambda key: system.sale_of(key.removeprefix(prefix)), system.called
    )


def compared(zones: Zones, raw: Path, names: Names, tables: Any) -> Any:
    """Where a zone's tables differ from the company's, and both in words."""
    truth, found = (
        {name: rows for name, rows in zone(of, its).items() if tables(name)}
        for of, its in ((zones.truth(), true_names(zones.truth())), (raw, names))
    )
    places = differences(truth, found)
    return counts(places), explained(places, truth, found)


@crms
def test_a_crm_says_what_the_company_says(system: System, zones: Zones) -> None:
    raw = zones.crm(system)
    found, words = compared(
        zones, raw, names_of(system)(raw), lambda it: it.startswith("crm.") and it not in _OTHERS
    )
    assert found == listed(system.gaps), words


@telephonies
def test_a_telephony_says_what_the_company_says(system: System, zones: Zones) -> None:
    raw = zones.telephony(system)
    found, words = compared(zones, raw, true_names(raw), _TELEPHONY.__contains__)
    assert found == listed(system.gaps), words


def test_advertising_and_people_s_files_say_what_the_company_says(zones: Zones) -> None:
    """Without a difference: two advertising systems, a workbook of plans, two tables of text."""
    place, company = zones.beside_the_crm("others"), zones.timeline.company
    yandex = YandexDirectStandIn(
        lambda: [it for it in company.spending if it.campaign in YANDEX_CAMPAIGNS]
    )
    google = GoogleAdsStandIn(
        {ACCOUNT: lambda: [it for it in company.spending if it.campaign not in YANDEX_CAMPAIGNS]}
    )
    for name in ("plans", "rates", "costs"):
        people_s_file(place, name)
    with yandex, google:
        for kind, standin, source in (
            ("yandex_direct", yandex, "yandex"),
            ("google_ads", google, "google"),
        ):
            adapter = ADAPTERS[kind]
            place.connect(kind, adapter.keys(standin) | {"source_id": source}, adapter.secrets())
        for moment in (night(11), NOW):
            zones.timeline.show(moment)
            for name in place.connections:
                place.good(name, now=moment)
    found, words = compared(zones, place.raw, true_names(place.raw), _OTHERS.__contains__)
    assert found == {}, words


def people_s_file(place: Place, name: str) -> None:
    """A file as somebody keeps it, its mapping and its connection."""
    folder = place.root / name
    folder.mkdir(parents=True)
    names = {it["manager_id"]: it["full_name"] for it in company_itself.crm(Timeline().company)
             ["crm.managers"]}  # fmt: skip
    mapping: dict[str, Any]
    if name == "plans":
        rows: list[list[Any]] = [
            ["Планы отдела продаж, март 2026"],
            ["Менеджер", "Показатель", "План"],
        ]
        rows += [[names[f"m{who}"], called, float(target)] for who, called, _, target in PLANS]
        write_workbook(folder / "plans.xlsx", "Планы", rows)
        mapping = {
            "table": "crm.quotas", "files": ["plans*.xlsx"], "read": {"header": {"rows": [2]}},
            "columns": {
                "manager_id": {"from": "Менеджер", "lookup": "managers"},
                "metric": {"from": "Показатель", "lookup": "metrics"},
                "period": {"const": "month"}, "period_start": {"const": "2026-03-01"},
                "target": {"from": "План", "as": "decimal"},
            },
            "lookups": {
                "managers": {"from": "crm.managers", "key": "full_name", "value": "manager_id",
                             "unknown": "error"},
                "metrics": {"map": {called: metric for _, called, metric, _ in PLANS}},
            },
        }  # fmt: skip
    elif name == "rates":
        write_text(folder / "rates.csv", ["Дата", "Валюта", "Курс"], [
            [".".join(reversed(day.split("-"))), "USD", rate.replace(".", ",")]
            for day, rate in RATES.items()
        ])  # fmt: skip
        mapping = {
            "table": "finance.exchange_rates", "files": ["*.csv"], "values": {"date_order": "dmy"},
            "columns": {"rate_date": {"from": "Дата", "as": "date"}, "currency": {"from": "Валюта"},
                        "rate": {"from": "Курс", "as": "decimal"}},
        }  # fmt: skip
    else:
        write_text(folder / "costs.csv", ["Отдел", "Расходы, руб"], [
            [team, f"{float(cost):,.2f} ₽".replace(",", " ").replace(".", ",")]
            for team, cost in COSTS.items()
        ])  # fmt: skip
        mapping = {
            "table": "finance.sales_costs", "files": ["*.csv"], "read": {"delimiter": ";"},
            "columns": {"month": {"const": "2026-03-01"}, "team": {"from": "Отдел"},
                        "cost": {"from": "Расходы*", "as": "money", "currency": "RUB"}},
        }  # fmt: skip
    text = yaml.safe_dump(mapping, allow_unicode=True)
    (folder / "mapping.yaml").write_text(text, encoding="utf-8")
    keys = {"kind": "files", "folder": str(folder), "mapping": str(folder / "mapping.yaml")}
    place.connect(name, keys, {})


def write_text(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, *rows])


@pytest.mark.nightly
@crms
def test_a_crm_ends_in_the_company_s_marts(system: System, zones: Zones) -> None:
    """The CRM's tables with the company's own calls, spending and plans."""
    zones.timeline.show(NOW)
    rows = company_itself.rows(zones.timeline.company, system.ids)
    found = zones.marts(system.name, zones.crm(system), names_of(system), rows)
    _same_marts(zones, system, found)


@pytest.mark.nightly
@telephonies
def test_a_telephony_ends_in_the_company_s_marts(system: System, zones: Zones) -> None:
    """The telephony's tables with the company's own CRM, spending and plans."""
    zones.timeline.show(NOW)
    rows = company_itself.rows(zones.timeline.company)
    others = {name: of for name, of in rows.items() if name in _OTHERS}
    found = zones.marts(system.name, zones.telephony(system), true_names, others)
    _same_marts(zones, system, found)


def _same_marts(zones: Zones, system: System, found: Mapping[str, Table]) -> None:
    truth = zones.marts("truth", zones.truth(), true_names, {})
    places = differences(truth, found)
    columns = {table: set(of) for table, of in places.items()}
    assert columns == listed_marts(system.gaps), explained(places, truth, found)
