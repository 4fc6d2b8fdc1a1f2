"""Asterisk in the shared tests: a table over MySQL's protocol, and CSV files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.connectors.adapter import Adapter, Story, calls_story
from tests.standins.asterisk import PASSWORD, CdrServer, cdr_rows, write_csv
from tests.standins.company import Company

_KEYS = {
    "timezone": "Europe/Moscow",
    "trunks": ["PJSIP/trunk-*"],
    "extensions": {"101": "7001", "102": "7002"},
    "recording_url_template": "https://pbx.example/{yyyy}/{mm}/{dd}/{recordingfile}",
    "start_date": "2026-03-01",
}
_NULLS = {
    "telephony.calls": ("updated_at", "is_deleted", "source_id"),
    "telephony.extensions": ("updated_at", "is_deleted", "valid_to"),
}


class AsteriskSql(Adapter):
    kind = "asterisk_sql"
    nulls: Mapping[str, Sequence[str]] = _NULLS
    least_requests = 2
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> Any:
        return CdrServer(lambda: cdr_rows(company))

    def keys(self, standin: Any) -> dict[str, Any]:
        self._dsn = standin.dsn
        return {"kind": "asterisk_sql", "dsn": "env:CDR_DSN", **_KEYS}

    def secrets(self) -> Mapping[str, str]:
        return {"CDR_DSN": self._dsn}

    def hidden(self) -> Sequence[str]:
        return [self._dsn, PASSWORD]

    def story(self) -> Story:
        return calls_story()


class CsvFiles:
    """A folder with Master.csv, written anew whenever somebody looks."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self.requests: list[Any] = []
        self.always: Callable[[Any], Any] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self.write()
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.cleanup()

    @property
    def path(self) -> Path:
        return Path(self._folder.name) / "Master.csv"

    def write(self) -> None:
        """Lines are only ever added: a call's record comes when it ends."""
        write_csv(self.path, cdr_rows(self._company))


class AsteriskCsv(Adapter):
    kind = "asterisk_csv"
    nulls: Mapping[str, Sequence[str]] = {
        **_NULLS,
        # cdr_csv has neither the dialled number nor the file of the recording.
        "telephony.calls": (*_NULLS["telephony.calls"], "recording_url"),
    }
    least_requests = None
    short: Mapping[str, Any] = {}

    def standin(self, company: Company, page_size: int = 250) -> Any:
        self._files = CsvFiles(company)
        return self._files

    def keys(self, standin: Any) -> dict[str, Any]:
        return {"kind": "asterisk_csv", "path": f"{standin.path}*", **_KEYS}

    def secrets(self) -> Mapping[str, str]:
        return {}

    def story(self) -> Story:
        return Story([*calls_story().steps, lambda it: self._files.write()])


ADAPTERS = (AsteriskSql(), AsteriskCsv())
