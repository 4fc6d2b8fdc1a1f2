"""connections.yml: what is refused, with which words, and what a new one looks like."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.cli.connections_example import FILE, example
from orchestration.connectors.connections import example_block, secret_keys
from orchestration.connectors.registry import all_kinds
from orchestration.connectors.run import connections, zone_to_write
from orchestration.connectors.secrets import Mask
from tests.conftest import ROOT, voronka

AMO = {"kind": "amocrm", "subdomain": "romashka", "long_lived_token": "env:AMO_TOKEN"}
CDR = {"kind": "asterisk_csv", "path": "/x/*", "timezone": "Europe/Moscow", "trunks": ["PJSIP/t"]}


def read(tmp_path: Path, text: str) -> dict[str, Any]:
    file = tmp_path / "connections.yml"
    file.write_text(text, encoding="utf-8")
    return dict(connections(Settings(connections=file)))


def problems(tmp_path: Path, **found: Any) -> list[str]:
    with pytest.raises(WrongUse) as caught:
        read(tmp_path, yaml.safe_dump(found, allow_unicode=True))
    return caught.value.details


def test_no_file_is_no_connection(tmp_path: Path) -> None:
    assert connections(Settings(connections=tmp_path / "none.yml")) == {}


def test_a_literal_secret_is_refused_with_the_line_to_write_and_not_shown(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, shop={**AMO, "long_lived_token": "eyJ0-very-secret"})
    assert said == (
        "shop: long_lived_token holds a secret; write  long_lived_token: env:SHOP_LONG_LIVED_TOKEN"
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "amocrn"}, "shop: kind amocrn is not known; did you mean amocrm?"),
        ({}, "shop: `kind` is missing"),
        ({**AMO, "subdomian": "x"}, "shop: subdomian is not a key of this kind; "
                                    "did you mean subdomain?"),
        ({"kind": "amocrm", "long_lived_token": "env:X"}, "shop: subdomain is missing"),
        ({"kind": "amocrm", "subdomain": "x"}, "shop: needs long_lived_token: env:NAME, or all"),
        ({**AMO, "client_id": "x"}, "shop: long_lived_token and OAuth keys exclude each other"),
        ({**AMO, "base_url": "http://proxy.example"}, "shop: base_url: has to begin with https"),
        ({**AMO, "prefix": "12"}, "shop: prefix: String should match"),
        ({**AMO, "name": "x"}, "shop: `name` is not a key"),
        ({**CDR, "timezone": "Moscow"}, "shop: timezone: Moscow is not a time zone"),
        ({**CDR, "reread": "a day"}, "shop: reread: a day is no length of time"),
        ({**CDR, "extension_pattern": "("}, "shop: extension_pattern: ( is no regular"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    (found,) = problems(tmp_path, shop=keys)
    assert found.startswith(said)


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, one={"kind": "x"}, Two={}, three={**AMO, "prefix": "9"})
    assert len(found) == 3


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"line 3: the key shop stands twice"):
        read(tmp_path, "shop: {kind: amocrm}\n\nshop: {kind: amocrm}\n")


def test_broken_yaml_is_refused_without_its_text(tmp_path: Path) -> None:
    with pytest.raises(WrongUse) as caught:
        read(tmp_path, "shop:\n  token: [very-secret\n")
    assert "very-secret" not in str(caught.value)
    assert "line" in str(caught.value)


def test_two_connections_whose_keys_could_meet_are_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, one=AMO, two={**AMO, "subdomain": "other"})
    assert found == [
        "two: its keys could meet those of one in crm.managers: both have prefix ''. "
        "Give one of them another prefix."
    ]
    assert len(read(tmp_path, yaml.safe_dump({"one": AMO, "two": {**AMO, "prefix": "b-"}}))) == 2


def test_two_exchanges_need_another_prefix_for_extensions(tmp_path: Path) -> None:
    found = problems(tmp_path, one=CDR, two=CDR)
    assert found == [
        "two: its keys could meet those of one in telephony.extensions: both have "
        "extension_prefix ''. Give one of them another extension_prefix."
    ]


def test_prefixes_are_empty_for_a_crm_and_the_name_for_telephony(tmp_path: Path) -> None:
    found = read(tmp_path, yaml.safe_dump({"shop": AMO, "pbx": CDR}))
    assert (found["shop"].prefix, found["pbx"].prefix) == ("", "pbx")


def test_the_demo_is_never_written_into() -> None:
    with pytest.raises(WrongUse, match="demo company"):
        zone_to_write(Settings(raw_dir=str(ROOT / "seeds/demo/raw")))


@pytest.mark.parametrize("kind", sorted(all_kinds()))
def test_the_block_that_add_prints_is_one_that_works(tmp_path: Path, kind: str) -> None:
    block = example_block(all_kinds()[kind], "shop")
    found = read(tmp_path, block)["shop"]
    assert found.kind == kind
    for key in all_kinds()[kind].config.model_fields:
        assert key == "name" or f"{key}:" in block
    for key in secret_keys(all_kinds()[kind].config):
        assert f"{key}: env:SHOP_{key.upper()}" in block


def test_the_example_file_is_current() -> None:
    """Generated from the keys of every kind; `make docs` writes it."""
    text = (ROOT / FILE).read_text(encoding="utf-8")
    assert text == example(), "run: make docs"


def test_the_example_file_without_its_marks_is_the_block_of_every_kind() -> None:
    text = (ROOT / FILE).read_text(encoding="utf-8")
    bare = "".join(line.removeprefix("# ") for line in text.splitlines(keepends=True))
    for kind in all_kinds().values():
        assert example_block(kind) in bare


@pytest.mark.parametrize("kind", sorted(all_kinds()))
def test_every_kind_has_its_page_in_both_languages(kind: str) -> None:
    """Russian first, then English; each with what to type and what a check is."""
    file = ROOT / "docs/connectors" / all_kinds()[kind].page
    assert file.is_file()
    russian, heading, english = file.read_text(encoding="utf-8").partition("\n## English\n")
    assert heading, "the second half begins with the heading `## English`"
    for part in (russian, english):
        assert re.search(rf"^ +kind: {kind}\b", part, re.MULTILINE)
        assert "voronka connect check" in part


PAGES = sorted({it.page for it in all_kinds().values()})


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_works_as_it_is_printed(tmp_path: Path, page: str) -> None:
    """Blocks of connections.yml, and those that are keys to add to one; both languages the same."""
    text = (ROOT / "docs/connectors" / page).read_text(encoding="utf-8")
    of_page = {it.kind: it.config for it in all_kinds().values() if it.page == page}
    kinds_by_half = []
    for half in text.split("\n## English\n"):
        blocks = [yaml.safe_load(it) for it in re.findall(r"```ya?ml\n(.*?)```", half, re.S)]
        found = [it for it in blocks if _is_connections(it)]
        for block in found:
            names = read(tmp_path, yaml.safe_dump(block, allow_unicode=True))
            assert names.keys() == block.keys()
        kinds_by_half.append(sorted(it["kind"] for block in found for it in block.values()))
        for block in blocks:
            if not _is_connections(block) and "columns" not in block:
                assert any(block.keys() <= set(it.model_fields) for it in of_page.values()), block
    assert kinds_by_half[0] == kinds_by_half[1]
    assert {it for half in kinds_by_half for it in half} == set(of_page)


def _is_connections(block: Any) -> bool:
    return all(isinstance(it, dict) and "kind" in it for it in block.values())


@pytest.mark.parametrize("kind", sorted(all_kinds()))
def test_every_page_says_what_a_load_with_nothing_new_asks(kind: str) -> None:
    """How much that is, test_every_kind counts."""
    text = (ROOT / "docs/connectors" / all_kinds()[kind].page).read_text(encoding="utf-8")
    assert re.search(r"nothing new|idle (light )?load|without new files|No requests", text)
    assert re.search(r"нет нового|без нов|Запросов нет", text)


def test_listing_kinds_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from orchestration.connectors.registry import all_kinds; all_kinds(); "
        "print([it for it in ('dlt', 'pyarrow', 'sqlalchemy', 'requests', 'fsspec') "
        "if it in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_secrets_are_masked_in_every_spelling() -> None:
    mask = Mask()
    mask.hide("pa ss/w%rd")
    assert mask("a pa ss/w%rd b pa%20ss/w%25rd c pa%20ss%2Fw%25rd d pa+ss%2Fw%25rd") == (
        "a *** b *** c *** d ***"
    )


def test_the_command_says_what_to_do_first(tmp_path: Path) -> None:
    env = {
        "VORONKA_CONNECTIONS": str(tmp_path / "connections.yml"),
        "VORONKA_DATA_DIR": str(tmp_path / "data"),
        "VORONKA_RAW_DIR": str(tmp_path / "raw"),
    }
    done = voronka("connect", "run", env=env)
    assert done.returncode == 2
    assert "voronka connect add KIND" in done.stderr + done.stdout
    done = voronka("connect", "add", "amocrm", "--name", "shop", env=env)
    assert done.stdout.startswith("# amoCRM / Kommo")
    (tmp_path / "connections.yml").write_text(done.stdout)
    done = voronka("connect", "list", env=env)
    assert "shop" in done.stdout
    assert "never" in done.stdout
    done = voronka("connect", "run", env=env)
    assert done.returncode == 2
    assert "SHOP_LONG_LIVED_TOKEN is not set" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
