"""Links into the CRM and to recordings: the right page, and never anything but an address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.base.settings import Settings
from orchestration.connectors.links import CrmLinks, CurrentLinks, crm_links, is_address

AMO = "https://romashka.amocrm.ru"


@pytest.fixture
def links(tmp_path: Path) -> CrmLinks:
    file = tmp_path / "connections.yml"
    file.write_text(
        """
amocrm:
  kind: amocrm
  subdomain: romashka
  long_lived_token: env:AMO
  crm_url_template: {meeting: "https://romashka.amocrm.ru/todo/list/?task={id}"}
branch:
  kind: bitrix24
  prefix: "b24-"
  portal: romashka.bitrix24.ru
  client_id: a
  client_secret: env:B24
  refresh_token: env:B24R
shop:
  kind: hubspot
  prefix: "b24-hs-"
  access_token: env:HS
  crm_url_template: {deal: "https://app.hubspot.com/contacts/42/record/0-3/{id}"}
""",
        encoding="utf-8",
    )
    return crm_links(Settings(connections=file))


@pytest.mark.parametrize(
    ("kind", "key", "url"),
    [
        ("deal", "5001", f"{AMO}/leads/detail/5001"),
        ("lead", "5001", f"{AMO}/leads/detail/5001"),
        ("contact", "17", f"{AMO}/contacts/detail/17"),
        # A company stands for a contact, and a deal has the meetings and payments told of it.
        ("contact", "co17", f"{AMO}/companies/detail/17"),
        ("meeting", "st:5001:2", f"{AMO}/leads/detail/5001"),
        ("payment", "won:5001", f"{AMO}/leads/detail/5001"),
        ("meeting", "9", f"{AMO}/todo/list/?task=9"),
        ("payment", "9", None),
        # The prefix tells the account, the longest that fits.
        ("deal", "b24-7", "https://romashka.bitrix24.ru/crm/deal/details/7/"),
        ("contact", "b24-ld7", "https://romashka.bitrix24.ru/crm/lead/details/7/"),
        ("deal", "b24-hs-7", "https://app.hubspot.com/contacts/42/record/0-3/7"),
        ("contact", "b24-hs-7", None),
        ("deal", "unknown", None),
        ("deal", "b24-", None),
        ("deal", None, None),
        ("deal", "../../x?y#z", f"{AMO}/leads/detail/..%2F..%2Fx%3Fy%23z"),
        ("deal", "javascript:alert(1)", f"{AMO}/leads/detail/javascript%3Aalert%281%29"),
    ],
)
def test_a_key_leads_to_its_page(
    links: CrmLinks, kind: str, key: str | None, url: str | None
) -> None:
    assert links.url(kind, key) == url


def test_a_row_leads_to_itself_else_to_what_it_is_about(links: CrmLinks) -> None:
    meeting = {"meeting_id": "9", "deal_id": "5001", "contact_id": "17"}
    assert links.of_row(meeting, ["meeting_id"]) == f"{AMO}/todo/list/?task=9"
    payment = {"payment_id": "PAY-1", "deal_id": "5001", "contact_id": "17"}
    assert links.of_row(payment, ["payment_id"]) == f"{AMO}/leads/detail/5001"
    call = {"session_id": "1", "lead_id": None, "contact_id": "17"}
    assert links.of_row(call, ["session_id"]) == f"{AMO}/contacts/detail/17"
    assert links.of_row({"deal_id": "unknown", "contact_id": "unknown"}) is None
    customer = {"contact_id": "17", "deal_id": "5001"}
    assert links.of_row(customer, ["contact_id"]) == f"{AMO}/contacts/detail/17"


@given(st.text(max_size=30))
@example("..")
@example("%2e%2e/\\\r\n")
def test_whatever_a_key_holds_stays_in_its_place(key: str) -> None:
    url = CrmLinks([("", {"deal": "https://crm.example/deals/{id}/"})]).url("deal", key)
    if url is not None:
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == (
            *("https", "crm.example", "", ""),
        )
        assert unquote(parts.path) == f"/deals/{key}/" and parts.path.count("/") == 3
        assert url.isascii() and url.isprintable()


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("javascript:alert({id})", "begins with https:// or http://"),
        ("ftp://x.example/{id}", "begins with https:// or http://"),
        ("https://x.example/deals", "has no {id}"),
        ("https://{id}.example/", "has no {id} behind"),
        ("https://x.example/{id}/{other}", "braces"),
        ("https:// x/{id}", "no address"),
        ("https:///{id}", "no address"),
    ],
)
def test_a_template_that_is_no_address_is_refused(tmp_path: Path, template: str, says: str) -> None:
    file = tmp_path / "connections.yml"
    file.write_text(
        "a:\n  kind: hubspot\n  access_token: env:HS\n"
        f"  crm_url_template: {{deal: '{template}'}}\n",
        encoding="utf-8",
    )
    found = crm_links(Settings(connections=file))
    assert found.accounts == () and "1 problem" in found.problem


def test_without_connections_there_are_no_links(tmp_path: Path) -> None:
    none = crm_links(Settings(connections=tmp_path / "connections.yml"))
    assert none == CrmLinks([]) and none.of_row({"deal_id": "1"}) is None


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://pbx.example/r/1.mp3?a=b", True),
        ("HTTP://pbx.example", True),
        ("/var/spool/1.wav", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://", False),
        ("https://a b", False),
        ('https://a"onclick=', False),
        ("https://[", False),
        ("***", False),
        (" https://a", False),
    ],
)
def test_only_http_is_an_address(text: str, is_one: bool) -> None:
    assert is_address(text) is is_one


def test_links_follow_the_file(tmp_path: Path) -> None:
    file = tmp_path / "connections.yml"
    now = CurrentLinks(Settings(connections=file))
    assert now().url("deal", "1") is None
    block = "a:\n  kind: amocrm\n  long_lived_token: env:AMO\n  subdomain: "
    file.write_text(block + "first\n", encoding="utf-8")
    assert now().url("deal", "1") == "https://first.amocrm.ru/leads/detail/1"
    file.write_text(block + "another\n", encoding="utf-8")
    assert now().url("deal", "1") == "https://another.amocrm.ru/leads/detail/1"
    file.write_text("a: [", encoding="utf-8")
    assert now().accounts == () and now().problem
