"""Who asked this process to stop, and whether an error means that somebody did.

A signal ends a query of DuckDB as an error of its own, which a library that tries on may even
swallow. So the request is remembered, and looked for in the causes of errors.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_asked = threading.Event()


def interrupt_on_terminate() -> None:
    """Let SIGTERM end a command as Ctrl-C does: in order, with nothing left behind."""

    def stop(number: int, frame: object) -> None:
        _asked.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    # A shell lets what runs in its background ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, stop)
    # A stopped command ends without Python's last steps, so multiprocessing's own helper removes
    # dbt's locks. It does so in any case, but would print a warning after our last word.
    ignored = "ignore::UserWarning:multiprocessing.resource_tracker"
    given = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = f"{given},{ignored}" if given else ignored


@contextmanager
def finish_first(say: Callable[[], None]) -> Iterator[None]:
    """Let what is inside come to its end where somebody asks to stop, and stop then.

    `say` is called at the request; a second one stops at once. Only for the main thread; elsewhere
    signals do not arrive.
    """
    is_asked = False

    def put_off(number: int, frame: object) -> None:
        nonlocal is_asked
        _asked.set()
        if is_asked:
            raise KeyboardInterrupt
        is_asked = True
        say()

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, put_off)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if is_asked:
        raise KeyboardInterrupt


def is_asked_to_stop() -> bool:
    """Whether somebody asked this process to stop, whatever became of the interruption."""
    return _asked.is_set()


def stop_if_asked() -> None:
    """Raise KeyboardInterrupt where the interruption was swallowed on its way."""
    if is_asked_to_stop():
        raise KeyboardInterrupt


def is_interruption(error: BaseException) -> bool:
    """Whether an error is an interruption, or a library's own one that was caused by it."""
    cause: BaseException | None = error
    while cause is not None:
        if not isinstance(cause, Exception):
            return True
        cause = cause.__cause__
    return False
