"""notifications.yml: what is right, what is wrong and said without its text."""

from pathlib import Path

import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.connectors.secrets import Mask
from orchestration.digest.addresses import Address, problem_of
from orchestration.digest.recipients import Notifications, Role, read_notifications
from orchestration.metrics.choices import Language
from tests.conftest import ROOT

TOKEN = "123456789:AAEl1dR4zSecretSecretSecretSecret"


def read(tmp_path: Path, text: str) -> Notifications:
    file = tmp_path / "notifications.yml"
    file.write_text(text, encoding="utf-8")
    return read_notifications(Settings(data_dir=tmp_path, notifications=file))


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(WrongUse) as error:
        read(tmp_path, text)
    return error.value.details


def test_without_a_file_nobody_gets_anything(tmp_path):
    found = read_notifications(Settings(data_dir=tmp_path, notifications=tmp_path / "none.yml"))
    assert found == Notifications({}, False)


def test_the_example_is_right(tmp_path):
    found = read(tmp_path, (ROOT / "notifications.example.yml").read_text(encoding="utf-8"))
    assert not found.alerts_after_refresh
    olga, anna, on_call = found.recipients.values()
    assert (olga.role, anna.role, on_call.role) == (Role.HEAD, Role.MANAGER, Role.ENGINEER)
    assert [it.scheme for it in olga.to] == ["tgram", "mailtos"]
    assert olga.to[1].variables == ["SMTP_USER", "SMTP_PASSWORD"]
    assert (olga.quiet.begins.hour, olga.quiet.ends.hour) == (21, 8)
    assert (on_call.language, on_call.days_off, anna.viewer) == (Language.ENGLISH, True, "anna")
    assert found.engineers == [on_call]


def test_all_problems_are_told_at_once_and_no_secret(tmp_path):
    text = f"""
recipients:
  a: {{role: head, to: "tgram://{TOKEN}/1"}}
  b: {{role: boss, to: [], quite: 1}}
  c: {{role: manager, to: "json://localhost"}}
  d: {{role: head}}
  e: {{role: head, to: "json://localhost", time_zone: Mars, quiet: 5}}
  f: {{role: engineer, viewer: x, to: "json://localhost"}}
  g: text
  on: {{role: engineer, to: "json://localhost"}}
send: true
"""
    found = problems(tmp_path, text)
    assert found == [
        "send is not a key of the file; there are alerts_after_refresh and recipients",
        "a: to: an address holds a secret: write ${NAME} in its place, and set the variable NAME",
        "b: role: Input should be 'head', 'manager' or 'engineer'",
        "b: to: write an address of apprise, or a list of them",
        "b: quite is no key; did you mean quiet?",
        "c: viewer is missing: a manager reads his own rows; name his role of "
        "seeds/reference/access_roles.csv",
        "d: to is missing",
        "e: quiet: write quiet hours as 22:00-08:00",
        "e: time_zone: write a time zone as Europe/Moscow",
        "f: viewer is not for engineers: their messages hold nobody's rows",
        "g: a mapping is missing: role, to",
        "True: YAML takes this name for something else; write it in quotes",
    ]
    assert TOKEN not in "".join(found)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(WrongUse, match="the key olga stands twice"):
        read(tmp_path, "recipients:\n  olga: {}\n  olga: {}\n")


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path):
    found = read(tmp_path, 'recipients: {olga: {role: head, to: "json://localhost"}}')
    assert [it.name for it in found.chosen([])] == ["olga"]
    with pytest.raises(WrongUse) as error:
        found.chosen(["olya"])
    assert error.value.remedy == "Did you mean olga? There are olga."


def test_who_is_not_enabled_is_only_there_when_named(tmp_path):
    found = read(
        tmp_path, 'recipients: {"on": {role: engineer, to: "json://localhost", enabled: false}}'
    )
    assert found.chosen([]) == [] and found.engineers == []
    assert [it.name for it in found.chosen(["on"])] == ["on"]


@pytest.mark.parametrize(
    "template",
    [
        "${WHOLE}",
        "tgram://${TOKEN}/-1001234567890",
        "tgram://${TOKEN}/@our_sales_channel",
        "mailtos://${USER}:${PASSWORD}@example.com?smtp=smtp.example.com&to=olga@example.com",
        "mailtos://voronka:${PASSWORD}@example.com",
        "slack://${TOKEN_A}/${TOKEN_B}/${TOKEN_C}/#sales",
        "json://127.0.0.1:8080/hook",
        "mailto://localhost:2525?from=voronka@example.com&to=a@example.com",
    ],
)
def test_addresses_without_a_secret_are_taken(template):
    assert problem_of(template) == ""


@pytest.mark.parametrize(
    "template",
    [
        f"tgram://{TOKEN}/1",
        "tgram://123456789:abcdefghijk/${CHAT}",
        "mailtos://${USER}:opensesame@example.com",
        "mailtos://voronka:opensesame@localhost",
        "mailtos://example.com?user=${USER}&pass=opensesame",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "slack://${TOKEN_A}/${TOKEN_B}/TIiajkdnlazkcOXrIdevi7FQ",
        "json://hooks.example.com/secretpath",
    ],
)
def test_addresses_with_a_secret_are_refused(template):
    assert "holds a secret" in problem_of(template)


def test_secrets_come_from_the_environment_encoded_for_their_place(monkeypatch):
    monkeypatch.setenv("WORD", "p@ss/wörd?&")
    monkeypatch.setenv("BOT", TOKEN)
    mask = Mask()
    address = Address("mailtos://me:${WORD}@example.com")
    assert address.resolve(mask) == "mailtos://me:p%40ss%2Fw%C3%B6rd%3F%26@example.com"
    assert Address("tgram://${BOT}/1").resolve(mask) == f"tgram://{TOKEN}/1"
    for said in ("p@ss/wörd?&", "p%40ss%2Fw%C3%B6rd%3F%26", TOKEN):
        assert said not in mask(f"it says {said}.")


def test_a_whole_address_from_the_environment_stays_as_it_is(monkeypatch):
    monkeypatch.setenv("WHOLE", "slack://a/b/c?x=1&y=@2")
    assert Address("${WHOLE}").resolve(Mask()) == "slack://a/b/c?x=1&y=@2"
    assert Address("${WHOLE}").scheme == "WHOLE"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.setenv("EMPTY", " ")
    address = Address("tgram://${EMPTY}/1")
    assert address.unset == ["EMPTY"]
    with pytest.raises(WrongUse, match="tgram: the variable EMPTY is not set"):
        address.resolve(Mask())
