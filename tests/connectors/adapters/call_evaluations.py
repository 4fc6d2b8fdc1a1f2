"""Call evaluations in the shared tests: files, a REST API, UIS's analysis."""

from __future__ import annotations

import csv
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.connectors.adapter import Adapter, ErrorCase, Story, calls_story
from tests.standins.company import Call, Company, Ring, at
from tests.standins.evaluations import (
    PATH,
    TOKEN,
    UIS_PATH,
    RestStandIn,
    UisAnalysisStandIn,
    rest_rows,
    uis_rows,
)
from tests.standins.server import Reply, Request, StandIn, json_reply

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


REST_MAPPING: dict[str, Any] = {
    "table": "telephony.call_evaluations",
    "values": {"timezone": "UTC"},
    "call": {"telephony": "pbx", "by": ["linked_id"], "linked_id": "call.session"},
    "criteria": {"list": "insights", "name": "title", "score": "points"},
    "columns": {
        "evaluated_at": {"from": "made_at", "as": "timestamp"},
        "evaluator": {"from": "judge"},
        "score": {"from": "result.points", "as": "score", "max": "result.of"},
        "needs_found": {"criteria": ["выявил*"]},
        "presentation_made": {"criteria": ["*презентац*"]},
        "objections_handled": {"criteria": ["отработал возражения"], "rule": "all"},
        "next_step_agreed": {"criteria": ["следующий шаг"]},
    },
}


def rest_keys(standin: RestStandIn, mapping: Path, **rest: Any) -> dict[str, Any]:
    """A list that is asked for by a range and turned by numbers of rows."""
    return {
        "kind": "call_evaluations",
        "base_url": f"{standin.address}/v1",
        "mapping": str(mapping),
        "secret": "env:EVALUATIONS_SECRET",
        "start_date": "2026-03-01",
        "rest": {
            "path": "evaluations",
            "params": {"since": "{from}", "until": "{to}"},
            "time_format": "%Y-%m-%dT%H:%M:%S",
            "data": "items",
            "paginator": {"type": "offset", "limit": standin.page_size},
            **rest,
        },
    }


class RestEvaluations(Adapter):
    kind = "call_evaluations"
    nulls: Mapping[str, Sequence[str]] = {"telephony.call_evaluations": ("is_deleted",)}
    # A page of each of the last two days, and of the hour since.
    least_requests = 3
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        # Fewer rows in a page than elsewhere: there are only six calls.
        return RestStandIn(lambda: rest_rows(company), max(1, page_size // 2))

    def keys(self, standin: StandIn) -> dict[str, Any]:
        assert isinstance(standin, RestStandIn)
        folder = Path(tempfile.mkdtemp())
        weakref.finalize(standin, shutil.rmtree, folder)
        mapping = folder / "mapping.yaml"
        mapping.write_text(yaml.safe_dump(REST_MAPPING, allow_unicode=True), encoding="utf-8")
        return {**rest_keys(standin, mapping), "slice": "1d", "reread": "2d"}

    def secrets(self) -> Mapping[str, str]:
        return {"EVALUATIONS_SECRET": TOKEN}

    def paged(self, request: Request) -> bool:
        return request.path == PATH

    def story(self) -> Story:
        return calls_story()

    def errors(self) -> Sequence[ErrorCase]:
        def error(status: int, **headers: str) -> Reply:
            return json_reply({"error": "the system's words"}, status, **headers)

        asked = self.paged
        return (
            ErrorCase("401", error(401), 2, asked, ("system's words", "env:EVALUATIONS_SECRET"), 1),
            ErrorCase("403", error(403), 2, asked, ("rights of the key",), 1),
            ErrorCase("404", error(404), 2, asked, ("rest.path",), 1),
            ErrorCase("400", error(400), 2, asked, ("system's words",), 1),
            ErrorCase("429 twice", error(429, **{"Retry-After": "33"}), 0, asked, times=2,
                      waits=[33.0] * 2),
            ErrorCase("429 for ever", error(429), 75, asked, ("429",), 6),
            ErrorCase("503 for ever", error(503), 75, asked, ("503",), 6),
            ErrorCase("no list", json_reply({"rows": []}), 2, asked, ("rest.data: 'items'",), 1),
            ErrorCase("a total that is not reached", json_reply({"items": [], "total": 5}), 75,
                      asked, ("0 rows came, and it says 5",), 1),
        )  # fmt: skip


class UisEvaluations(Adapter):
    kind = "uis_evaluations"
    nulls: Mapping[str, Sequence[str]] = {"telephony.call_evaluations": ("is_deleted",)}
    # UIS says no time: it is when an evaluation was first seen.
    dated: Mapping[str, Sequence[str]] = {
        "telephony.call_evaluations": ("evaluated_at", "updated_at")
    }
    # The row that was the last, and an empty page after it.
    least_requests = 2
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> StandIn:
        # One row in a page: there are only six calls.
        return UisAnalysisStandIn(lambda: uis_rows(company), 1)

    def keys(self, standin: StandIn) -> dict[str, Any]:
        return {
            "kind": "uis_evaluations",
            "base_url": f"{standin.address}/api/v1.0",
            "token": "env:UIS_ANALYSIS_TOKEN",
            "telephony": "uis",
            "forms": ["входящий*"],
            "flags": {
                "needs_found": {"criteria": ["Выявил потребност*"]},
                "presentation_made": {"criteria": ["Провёл презентацию"]},
                "objections_handled": {"criteria": ["Отработал*"]},
                "next_step_agreed": {"criteria": ["Следующий шаг"]},
            },
        }

    def secrets(self) -> Mapping[str, str]:
        return {"UIS_ANALYSIS_TOKEN": TOKEN}

    def paged(self, request: Request) -> bool:
        return request.path == UIS_PATH

    def story(self) -> Story:
        """Later calls alone: ids grow with time."""
        added = Call(9, at(8, 3), "in", "79990000009", (Ring("101", 3, 33, talk=30),))
        return Story([lambda it: it.calls.append(added)])

    def errors(self) -> Sequence[ErrorCase]:
        asked = self.paged
        refusal = json_reply({"message": "Unauthorized"}, 401)
        return (
            ErrorCase("401", refusal, 2, asked, ("Unauthorized", "env:UIS_ANALYSIS_TOKEN"), 1),
            ErrorCase("404", json_reply({}, 404), 2, asked, ("/api/v1.0",), 1),
            ErrorCase("429 twice", json_reply({}, 429), 0, asked, times=2),
            ErrorCase("429 for ever", json_reply({}, 429), 75, asked, ("429",), 6),
            ErrorCase("503 for ever", Reply(503, b"busy"), 75, asked, ("503", "busy"), 6),
            ErrorCase("no list", json_reply({"data": []}), 2, asked, ("no list of",), 1),
        )


ADAPTERS = (CallEvaluations(), RestEvaluations(), UisEvaluations())
