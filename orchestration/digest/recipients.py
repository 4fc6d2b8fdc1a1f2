"""notifications.yml: who gets which messages, through what and when."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.base.text import counted
from orchestration.base.yaml_file import read_yaml_mapping
from orchestration.digest.addresses import Address, problem_of
from orchestration.digest.quiet import Quiet
from orchestration.metrics.choices import Language

AFTER_REFRESH, RECIPIENTS = "alerts_after_refresh", "recipients"
EXAMPLE = "notifications.example.yml"
_NAME = re.compile(r"[\w.-]+")


class Role(StrEnum):
    """What a recipient wants to know."""

    HEAD = "head"
    MANAGER = "manager"
    ENGINEER = "engineer"


class Recipient(BaseModel):
    """One entry of notifications.yml.

    `viewer` says whose rows are read: a role of `seeds/reference/access_roles.csv`, of the reader
    or of the personal role; a head without one reads all rows, masked. An engineer's messages hold
    nobody's rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: str = Field(exclude=True)
    role: Role
    to: tuple[Address, ...]
    viewer: str = ""
    language: Language = Language.RUSSIAN
    quiet: Quiet | None = None
    time_zone: str = ""
    days_off: bool = False
    alerts: bool = True
    enabled: bool = True

    @field_validator("to", mode="before")
    @classmethod
    def _addresses(cls, value: object) -> tuple[Address, ...]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not listed:
            raise ValueError("write an address of apprise, or a list of them")
        for item in listed:
            trouble = problem_of(item) if isinstance(item, str) else "an address is a text"
            if trouble:
                raise ValueError(trouble)
        return tuple(Address(item.strip()) for item in dict.fromkeys(listed))

    @field_validator("quiet", mode="before")
    @classmethod
    def _hours(cls, value: object) -> Quiet | None:
        if value in (None, False, "none"):
            return None
        if not isinstance(value, str):
            raise ValueError("write quiet hours as 22:00-08:00")
        return Quiet.parse(value)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value:
            try:
                ZoneInfo(value)
            except (OSError, ValueError, KeyError):
                raise ValueError("write a time zone as Europe/Moscow") from None
        return value

    @model_validator(mode="after")
    def _is_limited(self) -> Self:
        if self.role is Role.MANAGER and not self.viewer:
            raise ValueError(
                "viewer is missing: a manager reads his own rows; name his role of "
                "seeds/reference/access_roles.csv"
            )
        if self.role is Role.ENGINEER and self.viewer:
            raise ValueError("viewer is not for engineers: their messages hold nobody's rows")
        return self

    def zone(self, otherwise: str) -> tzinfo:
        """His time zone, or the company's."""
        return ZoneInfo(self.time_zone or otherwise)


@dataclass(frozen=True)
class Notifications:
    """What notifications.yml says; nobody gets anything where there is no file."""

    recipients: Mapping[str, Recipient] = field(default_factory=dict)
    alerts_after_refresh: bool = False

    @property
    def engineers(self) -> list[Recipient]:
        """Those who get alerts."""
        return [
            it
            for it in self.recipients.values()
            if it.enabled and it.alerts and it.role is Role.ENGINEER
        ]

    def chosen(self, names: list[str]) -> list[Recipient]:
        """Those of these names, else all that are enabled. Raises WrongUse for an unknown name."""
        for name in names:
            if name not in self.recipients:
                near = difflib.get_close_matches(name, list(self.recipients), n=1)
                hint = f"Did you mean {near[0]}? " if near else ""
                raise WrongUse(
                    f"There is no recipient {name}.",
                    f"{hint}There are {', '.join(self.recipients) or 'none'}.",
                )
        if names:
            return [self.recipients[name] for name in dict.fromkeys(names)]
        return [it for it in self.recipients.values() if it.enabled]


def read_notifications(settings: Settings) -> Notifications:
    """The file, whole. Raises WrongUse with all that is wrong in it; no text of it is shown."""
    path = settings.notifications_file
    if not path.exists():
        return Notifications()
    document = read_yaml_mapping(path, "keys to values", f"See {EXAMPLE}.")
    problems = [
        f"{key} is not a key of the file; there are {AFTER_REFRESH} and {RECIPIENTS}"
        for key in document
        if key not in (AFTER_REFRESH, RECIPIENTS)
    ]
    after_refresh = document.get(AFTER_REFRESH, False)
    if not isinstance(after_refresh, bool):
        problems.append(f"{AFTER_REFRESH} is true or false")
    listed = document.get(RECIPIENTS) or {}
    if not isinstance(listed, dict):
        problems.append(f"{RECIPIENTS} is a mapping from names to what they get")
        listed = {}
    found: dict[str, Recipient] = {}
    for name, keys in listed.items():
        if not isinstance(name, str):
            problems.append(f"{name}: YAML takes this name for something else; write it in quotes")
            continue
        recipient = _recipient(name, keys, problems)
        if recipient is not None:
            found[recipient.name] = recipient
    if problems:
        raise WrongUse(
            f"{path} has {counted(len(problems), 'problem')}; nothing was sent.",
            f"Correct the file; {EXAMPLE} shows every key.",
            problems,
        )
    return Notifications(found, bool(after_refresh))


def _recipient(name: str, keys: object, problems: list[str]) -> Recipient | None:
    if not _NAME.fullmatch(name):
        problems.append("a recipient's name is letters, digits, _, - and dots")
        return None
    if not isinstance(keys, dict):
        problems.append(f"{name}: a mapping is missing: role, to")
        return None
    given: dict[str, Any] = {str(key): value for key, value in keys.items()}
    if "name" in given:
        problems.append(f"{name}: `name` is not a key; the name is what stands before the colon")
        return None
    try:
        return Recipient.model_validate({**given, "name": name})
    except ValidationError as error:
        problems += [_explain(name, it) for it in error.errors(include_url=False)]
        return None


def _explain(name: str, problem: ErrorDetails) -> str:
    key = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, list(Recipient.model_fields), n=1)
        return f"{name}: {key} is no key" + (f"; did you mean {near[0]}?" if near else "")
    if problem["type"] == "missing":
        return f"{name}: {key} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {key}: {message}" if key else f"{name}: {message}"
