"""Who is told what a running refresh does: the command's progress bar, or nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Something began or ended.

    `step` is the phase; `item` the model or check that ended, with its `status`; `total` how many
    items the phase has, where it is known.
    """

    step: str
    item: str = ""
    status: str = ""
    total: int | None = None


_listeners: list[Callable[[Progress], None]] = []


def listen(listener: Callable[[Progress], None]) -> Callable[[], None]:
    """Call `listener` with every progress of this process; the result ends that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def tell(step: str, item: str = "", status: str = "", total: int | None = None) -> None:
    """Say what happened."""
    for listener in _listeners:
        listener(Progress(step, item, status, total))
