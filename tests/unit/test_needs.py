"""Without a program of the system, a test skips and names the line that installs it."""

import subprocess
import sys

import pytest

from tests import needs
from tests.conftest import ROOT, clean_environment


@pytest.mark.parametrize(
    ("need", "line"),
    [
        (needs.chromium, "apt install chromium"),
        (needs.git, "apt install git"),
        (needs.jdbc, "apt install default-jre-headless libpostgresql-jdbc-java"),
    ],
)
def test_a_program_that_is_missing_skips(monkeypatch, need, line):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(pytest.skip.Exception, match=f": {line}$"):
        need()


def test_the_odbc_client_skips_before_its_library_is_missed(tmp_path):
    """unixODBC is a library of the system: without it pyodbc is there, and its import fails."""
    (tmp_path / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open')")
    code = (
        "import pytest\nfrom tests import needs\n"
        "try: needs.odbc()\nexcept pytest.skip.Exception as skipped: print(skipped)\n"
    )
    environment = clean_environment()
    environment["PYTHONPATH"] = f"{tmp_path}:{ROOT}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (
        "pyodbc cannot be imported: libodbc.so.2: cannot open: apt install unixodbc odbc-postgresql"
    )
