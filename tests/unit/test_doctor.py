"""What `voronka doctor` says of the environment."""

import importlib.metadata
from pathlib import Path

import pytest

from orchestration.base.findings import Finding
from orchestration.base.settings import Settings
from orchestration.cli.doctor import examine, locked_packages
from orchestration.raw_zone.contract import load_contract
from orchestration.raw_zone.sample import currencies_without_rates
from orchestration.raw_zone.scan import scan
from tests.conftest import ROOT

LOCK = """\
# a comment
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
    # via voronka
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:01
pywin32==312 ; sys_platform == 'win32' \\
    --hash=sha256:02
dbt-core[postgres]==1.11.16 \\
    --hash=sha256:03
"""


def packages(tmp_path: Path, lock: str) -> Finding:
    """The finding on the packages where the project has this lock."""
    for name in ("dbt_project.yml", "dbt_project"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "requirements.lock").write_text(lock)
    settings = Settings(project_dir=tmp_path, raw_dir=str(tmp_path / "raw"))
    (found,) = (it for it in examine(settings) if "requirements.lock" in it.text)
    return found


@pytest.mark.parametrize(
    ("python", "platform", "expected"),
    [
        ("3.11.7", "linux", ["numpy==2.4.6", "dbt-core[postgres]==1.11.16"]),
        ("3.12.0", "linux", ["numpy==2.5.5", "dbt-core[postgres]==1.11.16"]),
        ("3.12.0", "win32", ["numpy==2.5.5", "pywin32==312", "dbt-core[postgres]==1.11.16"]),
    ],
)
def test_markers_decide_which_packages_a_python_needs(python, platform, expected):
    found = locked_packages(LOCK, {"python_full_version": python, "sys_platform": platform})
    assert [f"{pin.name}{sorted(pin.extras) or ''}{pin.specifier}" for pin in found] == [
        text.replace("[postgres]", "['postgres']") for text in expected
    ]


def test_an_environment_of_the_lock_is_good(tmp_path):
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "rich")}
    lock = "".join(f"{name}=={version} \\\n" for name, version in versions.items())
    other = "numpy==1.0 ; python_version < '3'\nno-such-package==1 ; sys_platform == 'none'\n"
    assert packages(tmp_path, lock + other).grade == "good"


def test_packages_that_differ_are_named_with_what_mends_it(tmp_path):
    has = importlib.metadata.version("numpy")
    found = packages(tmp_path, "numpy==1.0\nno-such-package==2\n")
    assert found.grade == "note"
    assert found.text == (
        "2 packages differ from requirements.lock, with which the project is tested"
    )
    assert found.details == [
        f"numpy: 1.0 in the lock, {has} installed",
        "no-such-package: 2 in the lock, none installed",
    ]
    assert found.remedy == "Run `make clean install`, which installs the lock."


def test_the_projects_own_lock_is_what_is_installed():
    (found,) = (it for it in examine(Settings()) if "requirements.lock" in it.text)
    assert (found.grade, list(found.details)) == ("good", [])


def test_currencies_without_a_rate_are_named_before_a_refresh_stops_at_them(zone):
    paid = {"paid_at": "2026-02-02", "amount": "1", "kind": "payment"}
    raw = zone(
        {
            "crm.payments": [
                {"payment_id": str(number), "currency": code, **paid}
                for number, code in enumerate((" usd", "USD", "EUR", "RUB", None, " "))
            ],
            "marketing.ad_spend": [
                {
                    **{"spend_date": "2026-02-02", "source_id": "s", "campaign": None},
                    **{"cost": "1", "currency": "USD"},
                },
            ],
            "finance.exchange_rates": [
                {"rate_date": "2026-01-01", "currency": "eur", "rate": "100"},
            ],
        }
    )
    found = scan(str(raw), load_contract(ROOT))
    named = ["crm.payments: 2 of 6 rows in USD", "marketing.ad_spend: 1 of 1 row in USD"]
    assert currencies_without_rates(found, "RUB") == named
    assert currencies_without_rates(found, "USD") == ["crm.payments: 1 of 6 rows in RUB"]
    said = [it for it in examine(Settings(raw_dir=str(raw))) if "no rate to RUB" in it.text]
    assert [(it.grade, it.details) for it in said] == [("note", named)]
