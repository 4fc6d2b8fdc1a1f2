"""UIS's analysis of calls by AI: one evaluation of each session and scenario (10).

The list has no time and is sorted by id, so the place reached is a number of rows; what lies there
is compared with the id that was last, because rows that were taken away move all others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

from orchestration.base.findings import Finding
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Connector, Window
from orchestration.connectors.evaluations import (
    About,
    Criterion,
    Evaluation,
    JudgesCalls,
    Legs,
    Placer,
    calls_found,
    flags_of,
    of_forms,
    score_of,
)
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.kinds.call_evaluations.keys import UisEvaluationsConnection

PATH = "/scenario_result"
CURSOR, ROWS = "cursor:scenario_result", "rows"
_SHOWN = 10

Json = dict[str, Any]


class UisEvaluations(JudgesCalls, Connector[UisEvaluationsConnection]):
    """Evaluations of UIS's sessions."""

    kind: ClassVar[str] = "uis_evaluations"
    title: ClassVar[str] = "UIS, analysis of calls by AI"
    config: ClassVar[type[Connection]] = UisEvaluationsConnection

    def read(self) -> Iterator[Window]:
        """Evaluations whose call has come since, then those after the last one."""
        placer = Placer(self.work, self._legs())
        yield placer.retry()
        is_named = self.work.slice.is_named
        last = None if is_named else self.work.state.get(CURSOR)
        start, rows = self._place(last)
        while rows:
            start += len(rows)
            state = {} if is_named else {CURSOR: str(rows[-1]["id"]), ROWS: start}
            evaluations = [self._evaluation(it) for it in rows]
            self.work.report.account(PATH, len(rows), len(evaluations))
            wanted = of_forms(evaluations, self.connection.forms, self.work.report)
            yield Window(f"evaluations to {rows[-1]['id']}", placer.place(wanted), state)
            rows = self._rows(start)

    def check(self) -> Iterator[Finding]:
        """The first page, what becomes of it, and how many of its calls are there."""
        rows = self._rows(0)
        if not rows:
            yield Finding("note", "The token is right; there are no evaluations yet")
            return
        every = [self._evaluation(it) for it in rows]
        wanted = of_forms(every, self.connection.forms, self.work.report)
        yield Finding(
            "good", f"{len(rows)} evaluations on the first page, {len(wanted)} of them wanted",
            details=[str(it.values) for it in wanted[:_SHOWN]],
        )  # fmt: skip
        scenarios = sorted({it.form or "without a name" for it in every})
        yield Finding("good", f"Scenarios: {', '.join(scenarios)}")
        yield from self._flag_findings(rows, wanted)
        yield from calls_found(self._legs(), wanted)

    def _flag_findings(
        self, rows: Sequence[Json], wanted: Sequence[Evaluation]
    ) -> Iterator[Finding]:
        names = sorted({it.name for row in rows for it in _criteria(row)})
        for flag in self.connection.flags:
            if not any(it.values.get(flag) for it in wanted):
                yield Finding(
                    "note", f"{flag}: no criterion of the first page fits",
                    "Write names of criteria as UIS has them, with * where they vary.", names,
                )  # fmt: skip
        if not self.connection.flags:
            yield Finding(
                "note", "flags is empty: evaluations have a score and no flags",
                "Say of which criteria each flag is made.", names,
            )  # fmt: skip

    def _legs(self) -> Legs:
        return Legs(self.work.own, self.connection.telephony, ["linked_id"])

    def _place(self, last: str | None) -> tuple[int, list[Json]]:
        """The number of the first new row, and the rows from there."""
        if last is None:
            return 0, self._rows(0)
        # The row before is asked for too: it has to be the one that was the last.
        start = max(0, int(self.work.state.get(ROWS) or 1) - 1)
        while True:
            rows = self._rows(start)
            if start == 0 or (rows and int(rows[0]["id"]) <= int(last)):
                fresh = [it for it in rows if int(it["id"]) > int(last)]
                # A page whose rows are all known says nothing of those after it.
                at = start + len(rows) - len(fresh)
                return (at, fresh) if fresh or not rows else (at, self._rows(at))
            start = max(0, start - self.connection.page)

    def _rows(self, start: int) -> list[Json]:
        """Rows from a number on, at most a page. A page may be shorter than it was asked for."""
        query = {
            "_sort": "id", "_order": "asc", "_start": start, "_end": start + self.connection.page,
        }  # fmt: skip
        answer = self._http.request("GET", PATH, params=query, what=PATH)
        rows: list[Json] = answer.data
        return rows

    def _evaluation(self, row: Json) -> Evaluation:
        scenario = (row.get("result") or {}).get("scenario") or {}
        percent = scenario.get("percent_completion")
        values = {
            "evaluator": self.connection.evaluator,
            "score": score_of(None if percent is None else str(percent)),
            **flags_of(self.connection.flags, _criteria(row)),
        }
        source = json.dumps(row, ensure_ascii=False, sort_keys=True, default=str)
        session = row.get("call_session_id")
        about = About(linked_id=None if session is None else str(session))
        given = {name: it for name, it in values.items() if it is not None}
        form = row.get("scenario_name") or scenario.get("scenario_name")
        return Evaluation(source, about, given, form)

    @cached_property
    def _http(self) -> Http:
        keys, work = self.connection, self.work
        http = Http(
            keys.name, "UIS", keys.base_url, work.clock, work.mask, work.report,
            Pace(2, work.clock), self._judge,
        )  # fmt: skip
        http.headers["Authorization"] = f"Bearer {self.secret('token')}"
        return http

    def _judge(self, answer: Answer) -> Again | None:
        if answer.status in (401, 403) and not answer.is_html:
            raise refuse(f"Set a token of UIS's analysis that is valid as {self.connection.token}.")
        if answer.status == 404:
            raise refuse("Correct base_url: the address up to /api/v1.0.")
        if answer.status == 200 and answer.is_json:
            rows = answer.data
            is_list = isinstance(rows, list) and all(
                isinstance(it, dict) and str(it.get("id", "")).isdigit() for it in rows
            )
            if not is_list:
                raise refuse("Correct base_url: what answers there is no list of evaluations.")
        return None


def _criteria(row: Json) -> list[Criterion]:
    scenario = (row.get("result") or {}).get("scenario") or {}
    return [
        Criterion(str(it.get("name") or ""), None if it.get("score") is None else str(it["score"]))
        for it in scenario.get("data") or []
        if isinstance(it, dict)
    ]
