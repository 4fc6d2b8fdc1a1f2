"""Runs Apache Superset with the dashboard of this folder, on this machine's loopback alone.

`make superset` starts it and waits; `make superset-check` opens the dashboard in a headless
browser instead, saves what it shows to data/superset/dashboard.png, and ends the server.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

SOURCE = Path(__file__).resolve().parent
PROJECT = SOURCE.parents[2]
PUBLISHED = PROJECT / "data/published/voronka.duckdb"
HOME = PROJECT / "data/superset"
COMMANDS = HOME / "venv/bin"
LOG = HOME / "server.log"
SCREENSHOT = HOME / "dashboard.png"

HOST = "127.0.0.1"
USER = "admin"
DASHBOARD = "/superset/dashboard/voronka-sales/"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
START_SECONDS = 180
CHART_SECONDS = 120


class Failed(Exception):
    """What went wrong, for the person at the keyboard."""


def environment() -> dict[str, str]:
    """What Superset's own commands need to find this installation."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return inherited | {
        "SUPERSET_HOME": str(HOME),
        "SUPERSET_CONFIG_PATH": str(SOURCE / "superset_config.py"),
        "FLASK_APP": "superset.app:create_app()",
        "PYTHONWARNINGS": "ignore",
    }


def secret(name: str) -> str:
    """The secret of this name, made at first use and readable by its owner alone."""
    path = HOME / name
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), encoding="ascii")
    return path.read_text(encoding="ascii")


def superset(*arguments: str) -> str:
    """Run one of Superset's commands; give what it said, which goes to the log too."""
    ended = subprocess.run(
        [COMMANDS / "superset", *arguments],
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    with LOG.open("a", encoding="utf-8") as log:
        log.write(ended.stdout)
    if ended.returncode:
        raise Failed(f"superset {arguments[0]} failed; {LOG} says why.")
    return ended.stdout


def is_due(step: str, digest: str) -> bool:
    """Whether a step was not done yet with what the digest stands for."""
    mark = HOME / f"{step}.done"
    return not mark.exists() or mark.read_text(encoding="ascii") != digest


def done(step: str, digest: str) -> None:
    """Remember that the step was done."""
    (HOME / f"{step}.done").write_text(digest, encoding="ascii")


def digest_of(files: Iterable[Path]) -> str:
    """A digest of what the files hold."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def prepare_database() -> None:
    """Create Superset's own database with its administrator, or upgrade it."""
    digest = digest_of([SOURCE / "requirements.txt"])
    if not is_due("database", digest):
        return
    print("Preparing Superset's own database; it takes a minute or two …", flush=True)
    superset("db", "upgrade")
    superset("init")
    superset(
        *("fab", "create-admin", "--username", USER, "--password", secret("password")),
        *("--firstname", "Voronka", "--lastname", "Admin", "--email", "admin@localhost"),
    )
    done("database", digest)


def import_dashboard() -> None:
    """Import the dashboard where its files changed; else what was made of it by hand stays."""
    files = sorted(SOURCE.rglob("*.yaml"))
    digest = digest_of(files)
    if not is_due("dashboard", digest):
        return
    print("Importing the dashboard …", flush=True)
    # `import-dashboards` would leave datasets and charts that are there as they are.
    said = superset("import-directory", "--overwrite", str(SOURCE))
    if "An error occurred" in said:  # it ends well all the same
        raise Failed(f"The dashboard was not imported; {LOG} says why.")
    done("dashboard", digest)


def is_up(address: str) -> bool:
    """Whether the server answers."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving(port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the server and give its address once it answers; end it by its process id."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise Failed(f"Port {port} is taken; name another: make superset PORT=8089") from error
    address = f"http://{HOST}:{port}"
    with LOG.open("ab") as log:
        server = subprocess.Popen(
            [
                *(COMMANDS / "gunicorn", "--bind", f"{HOST}:{port}"),
                *("--workers", "1", "--worker-class", "gthread", "--threads", "4"),
                *("--timeout", "120", "--no-control-socket", "--pid", HOME / "server.pid"),
                "superset.app:create_app()",
            ],
            cwd=PROJECT,
            env=environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        started = time.monotonic()
        while not is_up(address):
            if server.poll() is not None or time.monotonic() - started > START_SECONDS:
                raise Failed(f"Superset did not start; {LOG} says why.")
            time.sleep(0.5)
        print(f"Superset started in {time.monotonic() - started:.0f} s.", flush=True)
        yield address, server
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def log_in(page: Page, address: str) -> None:
    """Sign in as the administrator."""
    page.goto(f"{address}/login/")
    page.fill("#username", USER)
    page.fill("#password", secret("password"))
    page.press("#password", "Enter")
    page.wait_for_url(lambda url: "/login" not in url, timeout=60_000)


def complaint(answer: Response) -> str | None:
    """What is wrong with the data that a chart was given."""
    if not answer.ok:
        return f"{answer.status}: {answer.text()[:500]}"
    for result in answer.json().get("result", []):
        if result.get("error") or result.get("status") != "success":
            return str(result.get("error") or result.get("status"))
        if not result.get("data"):
            return "no rows"
    return None


def look(page: Page, address: str) -> list[str]:
    """Open the dashboard, wait for its charts, save a picture; give what is wrong with it."""
    charts = len(list((SOURCE / "charts").glob("*.yaml")))
    answers: list[Response] = []
    wrong: list[str] = []
    elsewhere: set[str] = set()
    page.on("pageerror", lambda error: wrong.append(f"The page failed: {error}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "data:", "blob:"))
            else elsewhere.add(request.url)
        ),
    )
    page.on(
        "requestfailed",  # what the page's policy stopped never left the browser
        lambda request: elsewhere.discard(request.url) if request.failure == "csp" else None,
    )
    page.on(
        "response",
        lambda answer: answers.append(answer) if "/api/v1/chart/data" in answer.url else None,
    )
    log_in(page, address)
    page.goto(f"{address}{DASHBOARD}")
    state: dict[str, Any] = {}
    ends = time.monotonic() + CHART_SECONDS
    while time.monotonic() < ends:
        state = page.evaluate(
            """() => ({
                drawn: document.querySelectorAll(
                    '[data-test="slice-container"] canvas, [data-test="slice-container"] table'
                ).length,
                errors: [...document.querySelectorAll(
                    '.chart-container [role="alert"], .dashboard [role="alert"]'
                )].map(one => one.innerText),
            })"""
        )
        if len(answers) >= charts and (state["drawn"] >= charts or state["errors"]):
            break
        page.wait_for_timeout(500)
    page.wait_for_timeout(2_000)  # the charts' animation
    page.screenshot(path=SCREENSHOT)
    wrong += [f"The page asked for {url}" for url in sorted(elsewhere)]
    wrong += [f"A chart shows: {text}" for text in state["errors"]]
    wrong += [f"A chart's data: {said}" for said in map(complaint, answers) if said]
    if len(answers) < charts or state["drawn"] < charts:
        wrong.append(f"{state['drawn']} of {charts} charts were drawn, {len(answers)} got data.")
    return wrong


def check(address: str) -> None:
    """Fail unless a browser shows every chart of the dashboard."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        raise Failed("No Chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(BROWSER_FLAGS))
        page = chromium.new_page(viewport={"width": 1600, "height": 2380}, locale="ru-RU")
        started = time.monotonic()
        wrong = look(page, address)
        chromium.close()
    print(f"The dashboard took {time.monotonic() - started:.0f} s: {SCREENSHOT}", flush=True)
    if wrong:
        raise Failed("\n".join(wrong))


def main() -> int:
    """Do what the command line asks; 1 when it fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8088)
    parser.add_argument("--check", action="store_true", help="look at the dashboard and end")
    options = parser.parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        if not PUBLISHED.exists():
            raise Failed(f"{PUBLISHED} is not there: make refresh")
        HOME.mkdir(parents=True, exist_ok=True)
        LOG.write_bytes(b"")
        secret("secret_key")
        prepare_database()
        import_dashboard()
        with serving(options.port) as (address, server):
            if options.check:
                check(address)
            else:
                print(f"{address}{DASHBOARD}\nUser {USER}, password in {HOME / 'password'}")
                print("Ctrl-C ends it.", flush=True)
                server.wait()
    except KeyboardInterrupt:
        return 0
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
