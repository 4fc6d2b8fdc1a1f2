"""The blocks of Asterisk and FreePBX in connections.yml."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from orchestration.base.durations import DAY
from orchestration.connectors.secrets import SecretRef, secret_key
from orchestration.connectors.telephony import TelephonyConnection, seconds_of, texts


class AsteriskConnection(TelephonyConnection):
    """What a channel's name means here: which are trunks, which are telephones."""

    extensions: dict[str, str] = Field(
        default={},
        description="extension: id of the manager in the CRM",
        examples=[{"101": "7001", "102": "7002"}],
        json_schema_extra={"shown": True},
    )
    trunks: list[str] = Field(
        min_length=1,
        description="patterns of technology/peer of the lines to the outside",
        examples=[["PJSIP/trunk-*"]],
    )
    extension_pattern: str = Field(
        default=r"^\d{2,5}$", description="what an employee's peer looks like"
    )
    outbound_prefixes: list[str] = Field(
        default=[], description="digits dialled before an outside number", examples=[["9"]]
    )
    forwards: dict[str, str] = Field(
        default={},
        description="employees' mobiles: extension",
        examples=[{"79990000900": "103"}],
    )
    recording_url_template: str | None = Field(
        default=None,
        description="takes {recordingfile} {yyyy} {mm} {dd}",
        examples=["https://pbx.example/rec/{yyyy}/{mm}/{dd}/{recordingfile}"],
    )

    @field_validator("extension_pattern")
    @classmethod
    def _regular(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value} is no regular expression: {error}") from None
        return value

    @field_validator("outbound_prefixes", mode="before")
    @classmethod
    def _digits(cls, value: Any) -> Any:
        return [str(it) for it in value] if isinstance(value, list) else value

    @field_validator("extensions", "forwards", mode="before")
    @classmethod
    def _numbers_are_text(cls, value: Any) -> Any:
        return texts(value)


class AsteriskSqlConnection(AsteriskConnection):
    """The table `cdr` in MySQL, MariaDB or Postgres."""

    kind: Literal["asterisk_sql"]
    dsn: SecretRef = secret_key(
        "mysql+pymysql://reader:…@pbx/asteriskcdrdb, or postgresql+psycopg://…", shown=True
    )
    table: str = Field(
        default="cdr", pattern=r"^\w+(\.\w+)?$", description="FreePBX: in asteriskcdrdb"
    )
    cel_table: str | None = Field(
        default=None,
        pattern=r"^\w+(\.\w+)?$",
        description="channel events: exact talk",
        examples=["cel"],
    )
    settle: int = Field(default=600, description="rows come when a call ends", examples=["10m"])
    slice: int = Field(default=DAY, description="what one query asks for", examples=["1d"])

    @field_validator("settle", "slice", mode="before")
    @classmethod
    def _lengths(cls, value: Any) -> int:
        return seconds_of(value)


class AsteriskCsvConnection(AsteriskConnection):
    """Master.csv and its rotated files."""

    kind: Literal["asterisk_csv"]
    path: str = Field(
        description="a pattern of files; other places through fsspec, as sftp://…",
        examples=["/var/log/asterisk/cdr-csv/Master.csv*"],
    )
    columns: list[str] = Field(
        default=[],
        description="where neither of the two usual orders fits",
        examples=[["clid", "src", "dst"]],
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1)
