"""People's files in the shared tests: a table of deals that somebody exports now and then."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.connectors.adapter import Adapter, Story, crm_story
from tests.standins.company import STAGE_NAMES, Company

_MAPPING = {
    "table": "crm.deals",
    "files": ["deals*.csv"],
    "mode": "snapshot",
    "max_deleted_share": 1,
    "values": {"timezone": "Europe/Moscow", "date_order": "dmy"},
    "columns": {
        "deal_id": {"from": "ID"},
        "lead_id": {"from": "ID", "prefix": "l-"},
        "contact_id": {"from": "Контакт"},
        "manager_id": {"from": "Ответственный", "lookup": "managers"},
        "pipeline_id": {"const": "p-1"},
        "stage_id": {"from": "Этап"},
        "source_id": {"from": "Источник"},
        "amount": {"from": "Бюджет*", "as": "money", "currency": "RUB"},
        "deal_type": {"const": "new"},
        "created_at": {"from": "Дата создания", "as": "timestamp"},
        "expected_close_on": {"from": "Дата договора", "as": "date"},
        "closed_at": {"from": "Дата закрытия", "as": "timestamp"},
        "lost_reason": {"from": "Причина отказа"},
        "updated_at": {"from": "Дата изменения", "as": "timestamp"},
    },
    "lookups": {"managers": {"map": {"Анна Примерова": "m-1", "Борис Образцов": "m-2"}}},
}


class Folder:
    """A folder with one export, written anew after each step of the story."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self.requests: list[Any] = []
        self.always: Callable[[Any], Any] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        mapping = yaml.safe_dump(_MAPPING, allow_unicode=True)
        (self.path / "mapping.yaml").write_text(mapping, encoding="utf-8")
        self.write()
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()

    @property
    def path(self) -> Path:
        return Path(self._folder.name)

    def write(self) -> None:
        """The whole export of today."""
        company = self._company
        names = {it.number: it.name for it in company.managers}
        with (self.path / "deals.csv").open("w", encoding="cp1251", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(
                ["ID", "Контакт", "Ответственный", "Этап", "Источник", "Бюджет, руб",
                 "Дата создания", "Дата договора", "Дата закрытия", "Причина отказа",
                 "Дата изменения"]
            )  # fmt: skip
            for it in company.sales:
                if it.is_deleted:
                    continue
                contract = it.contract_on and ".".join(reversed(it.contract_on.split("-")))
                closed = it.closed_at and f"{it.closed_at:%d.%m.%Y %H:%M}"
                writer.writerow(
                    [it.number, it.person, names[it.owner], STAGE_NAMES[it.stage], it.source,
                     f"{it.amount:,} ₽".replace(",", " ").replace("₽", "руб"),
                     f"{it.created_at:%d.%m.%Y %H:%M}", contract, closed, it.reason,
                     f"{it.updated_at:%d.%m.%Y %H:%M:%S}"]
                )  # fmt: skip


class Files(Adapter):
    kind = "files"
    nulls: Mapping[str, Sequence[str]] = {"crm.deals": ()}
    least_requests = None
    short: Mapping[str, Any] = {}

    @property
    def empty(self) -> Sequence[str]:
        return [it for it in self.connector.tables if it != "crm.deals"]

    def standin(self, company: Company, page_size: int = 250) -> Any:
        self._folder = Folder(company)
        return self._folder

    def keys(self, standin: Any) -> dict[str, Any]:
        return {
            "kind": "files",
            "folder": str(standin.path),
            "mapping": str(standin.path / "mapping.yaml"),
        }

    def secrets(self) -> Mapping[str, str]:
        return {}

    def story(self) -> Story:
        return Story([*crm_story().steps, lambda it: self._folder.write()])


ADAPTERS = (Files(),)
