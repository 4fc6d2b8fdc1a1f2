"""What all telephony kinds share: keys, times, and who sits at which extension (1.2 to 1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from orchestration.base.durations import DAY, HOUR, MINUTE
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row
from orchestration.connectors.own_rows import OwnRows

# An extension was always whoever's it is when we first see it.
SINCE_EVER = "2000-01-01T00:00:00+00:00"
UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY}


def seconds_of(written: Any) -> int:
    """`10m`, `24h`, `3d` or a number of seconds. Raises ValueError."""
    text = str(written).strip()
    if text.isdigit():
        return int(text)
    if text[:-1].isdigit() and text[-1:] in UNITS:
        return int(text[:-1]) * UNITS[text[-1]]
    raise ValueError(f"{written} is no length of time; write 30m, 24h or 3d")


def texts(value: Any) -> Any:
    """A mapping with numbers written as numbers, as one of texts."""
    if not isinstance(value, dict):
        return value
    return {str(key): str(found) for key, found in value.items()}


class TelephonyConnection(Connection):
    """Keys of all telephony kinds."""

    timezone: str = Field(
        description="the zone of the system's times",
        examples=["Europe/Moscow"],
    )
    extension_prefix: str = Field(
        default="", description="before extensions, where two telephonies use the same numbers"
    )
    ivr_answers: bool = Field(
        default=False, description="true: a menu that picks up answers; for information lines"
    )
    reread: int = Field(
        default=DAY, description="read again before the end of the last load", examples=["24h"]
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value} is not a time zone, as Europe/Moscow is one") from None
        return value

    @field_validator("reread", mode="before")
    @classmethod
    def _length(cls, value: Any) -> int:
        return seconds_of(value)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the system's times."""
        return ZoneInfo(self.timezone)


def local_instant(moment: datetime, zone: tzinfo) -> datetime:
    """A local time with its offset, as the contract reads one without.

    A repeated hour is the later instant; a time that was skipped moves forward by the gap.
    """
    early, late = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    before, after = early.utcoffset(), late.utcoffset()
    if before is None or after is None or after <= before:
        return late
    # Skipped: read with the offset that held before the gap.
    return early.astimezone(UTC).astimezone(zone)


def directory_rows(
    own: OwnRows, managers: Mapping[str, str], prefix: str, noticed_at: datetime
) -> list[Row]:
    """Rows of telephony.extensions for who sits where now.

    Whoever is new at an extension began when we noticed, and his predecessor ended then.
    """
    wanted = {f"{prefix}{extension}": manager for extension, manager in managers.items()}
    known: dict[str, list[tuple[str, str, str | None]]] = {}
    for extension, since, manager, until in own.select(
        "telephony.extensions", ["extension", "valid_from", "manager_id", "valid_to"]
    ):
        known.setdefault(extension, []).append((since, manager, until))
    rows = []
    now = noticed_at.isoformat()
    for extension, manager in wanted.items():
        history = sorted(known.get(extension, []))
        if not history:
            rows.append(held(extension, SINCE_EVER, manager, None))
            continue
        since, holder, until = history[-1]
        if holder == manager and until is None:
            continue
        if until is None:
            rows.append(held(extension, since, holder, now))
        rows.append(held(extension, now, manager, None))
    for extension in known.keys() - wanted.keys():
        since, holder, until = sorted(known[extension])[-1]
        if until is None:
            rows.append(held(extension, since, holder, now))
    return rows


def held(extension: str, since: str, manager: str, until: str | None) -> Row:
    """A row of telephony.extensions."""
    return {
        "extension": extension, "valid_from": since, "manager_id": manager, "valid_to": until,
    }  # fmt: skip


def drift_seconds(pairs: Iterable[tuple[datetime, float]]) -> float | None:
    """Median of local instant less true Unix second; None without a pair."""
    found = sorted((moment.timestamp() - truth) for moment, truth in pairs)
    return found[len(found) // 2] if found else None


def plus(moment: datetime, seconds: int) -> datetime:
    """So many true seconds later, in the same zone."""
    return (moment.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(moment.tzinfo)
