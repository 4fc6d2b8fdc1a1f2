"""Files of call evaluations in the shared tests."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.connectors.adapter import Adapter, Story
from tests.standins.company import Company

_MAPPING = {
    "table": "telephony.call_evaluations",
    "files": ["evaluations*.csv"],
    "values": {"timezone": "Europe/Moscow", "date_order": "dmy"},
    "call": {"telephony": "pbx", "by": ["linked_id"], "linked_id": "Звонок"},
    "columns": {
        "evaluated_at": {"from": "Оценён", "as": "timestamp"},
        "evaluator": {"from": "Оценил"},
        "score": {"from": "Баллы", "as": "score", "max": "Максимум"},
        "needs_found": {"from": "Потребности", "as": "flag"},
        "presentation_made": {"from": "Презентация", "as": "flag"},
        "objections_handled": {"from": "Возражения", "as": "flag"},
        "next_step_agreed": {"from": "Следующий шаг", "as": "flag"},
    },
}
_HEADERS = ("Звонок", "Оценён", "Оценил", "Баллы", "Максимум", "Потребности", "Презентация",
            "Возражения", "Следующий шаг")  # fmt: skip


class Exports:
    """A folder with an export of the first calls' evaluations, and later another one."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self.requests: list[Any] = []
        self.always: Callable[[Any], Any] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        mapping = yaml.safe_dump(_MAPPING, allow_unicode=True)
        (self.path / "mapping.yaml").write_text(mapping, encoding="utf-8")
        self.write("evaluations1.csv", 4)
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()

    @property
    def path(self) -> Path:
        return Path(self._folder.name)

    def write(self, name: str, count: int) -> None:
        """The evaluations of so many calls."""
        with (self.path / name).open("w", encoding="cp1251", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            writer.writerow(_HEADERS)
            for call in self._company.calls[:count]:
                when = f"{call.started_at:%d.%m.%Y} 20:0{count}"
                writer.writerow([call.number, when, "ai", 3 + call.number, 10, "да", "нет", "да",
                                 "нет"])  # fmt: skip


class CallEvaluations(Adapter):
    kind = "call_evaluations"
    nulls: Mapping[str, Sequence[str]] = {"telephony.call_evaluations": ("is_deleted",)}
    least_requests = None
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> Any:
        self._exports = Exports(company)
        return self._exports

    def keys(self, standin: Any) -> dict[str, Any]:
        return {
            "kind": "call_evaluations",
            "folder": str(standin.path),
            "mapping": str(standin.path / "mapping.yaml"),
        }

    def secrets(self) -> Mapping[str, str]:
        return {}

    def story(self) -> Story:
        return Story([lambda it: self._exports.write("evaluations2.csv", 6)])


ADAPTERS = (CallEvaluations(),)
