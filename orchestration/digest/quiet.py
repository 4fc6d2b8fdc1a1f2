"""Hours in which nobody is disturbed, by the clock on the wall."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

_HOURS = re.compile(r"\s*(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})\s*")


@dataclass(frozen=True)
class Quiet:
    """From `begins` up to `ends`, which is left out; over midnight where it ends earlier."""

    begins: time
    ends: time

    @classmethod
    def parse(cls, text: str) -> Quiet:
        """Read `22:00-08:00`. Raises ValueError where it is none, or holds no hour."""
        found = _HOURS.fullmatch(text)
        try:
            if found is None:
                raise ValueError(text)
            begins, ends = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
        except ValueError:
            raise ValueError("write quiet hours as 22:00-08:00") from None
        if begins == ends:
            raise ValueError("quiet hours need two different times, as 22:00-08:00")
        return cls(begins, ends)

    def holds(self, local: datetime) -> bool:
        """Whether a local time lies in the quiet hours. A clock that is changed changes nothing."""
        now = local.time().replace(tzinfo=None)
        if self.begins < self.ends:
            return self.begins <= now < self.ends
        return now >= self.begins or now < self.ends

    def end_after(self, local: datetime) -> datetime:
        """When the quiet hours that hold a local time end, by the same clock."""
        day = local.date()
        if local.time().replace(tzinfo=None) >= self.ends:
            day += timedelta(days=1)
        return datetime.combine(day, self.ends, local.tzinfo)
