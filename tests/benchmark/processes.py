"""Commands as people run them, with how long they took and how much memory they held."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Usage:
    """A finished command: seconds by the clock and of processors, bytes at the worst moment.

    Memory is known on Linux only; elsewhere it is 0. What Java used is within it; its seconds are
    not within `cpu_seconds`, as nobody waits for its end.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    jvm_cpu_seconds: float = 0.0
    jvm_peak_bytes: int = 0


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without settings of the project and without slow habits."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith("VORONKA_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "PYTHONPATH": str(ROOT), **changes}


def voronka(*arguments: str) -> list[str]:
    """The command line of the project's own command."""
    return [sys.executable, "-m", "orchestration.cli", *arguments]


def run(command: Sequence[str], env: Mapping[str, str], log: Path) -> Usage:
    """Run a command to its end; its output goes to `log`.

    Memory is that of the command and of all it started, shared pages counted for each. Raises
    RuntimeError with the end of the log where the command fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        cpu_before = _cpu_of_children()
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        watch = MemoryWatch(process.pid)
        watch.start()
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            watch.stop()
        seconds = time.perf_counter() - start
    if code:
        tail = log.read_text(encoding="utf-8")[-3000:]
        raise RuntimeError(f"{' '.join(command)} ended with {code}:\n{tail}")
    cpu = _cpu_of_children() - cpu_before
    return Usage(seconds, cpu, watch.peak_bytes, watch.jvm_seconds, watch.jvm_peak_bytes)


class MemoryWatch(threading.Thread):
    """Looks at a process and its children every 0.2 seconds until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self.jvm_peak_bytes = 0
        self._jvm_seconds: dict[int, float] = {}
        self._pid = pid
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._over.wait(SAMPLE_SECONDS):
            held = {pid: memory_of(pid) for pid in family(self._pid)}
            self.peak_bytes = max(self.peak_bytes, sum(held.values()))
            jvms = {pid: found for pid in held if (found := jvm_seconds_of(pid)) is not None}
            self._jvm_seconds |= jvms
            of_jvms = sum(held[pid] for pid in jvms)
            self.jvm_peak_bytes = max(self.jvm_peak_bytes, of_jvms)

    @property
    def jvm_seconds(self) -> float:
        """Processor seconds of every Java that was seen, up to when it was seen last."""
        return sum(self._jvm_seconds.values())

    def stop(self) -> None:
        """End the watch."""
        self._over.set()
        self.join()


def family(pid: int) -> list[int]:
    """A process and all that it started, as far as they still run."""
    found, pending = [], [pid]
    while pending:
        parent = pending.pop()
        found.append(parent)
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                pending += map(int, task.read_text(encoding="ascii").split())
    return found


def memory_of(pid: int) -> int:
    """Resident bytes of a process; 0 if it ended.

    Pages that processes share count for each: dividing them walks through all of the memory,
    five times a second, which slows a large refresh by a tenth.
    """
    with suppress(OSError):
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()
    return 0


def jvm_seconds_of(pid: int) -> float | None:
    """Processor seconds of a process that is Java; None for any other, and where it ended."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        name, _, rest = text.partition("(")[2].rpartition(")")
        if name == "java":
            user, system = rest.split()[11:13]
            return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return None


def _cpu_of_children() -> float:
    """Processor seconds of all children that ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def folder_bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count nothing."""
    if path.is_file():
        return path.stat().st_size
    return sum(
        found.stat().st_size
        for found in path.rglob("*")
        if found.is_file() and not found.is_symlink()
    )
