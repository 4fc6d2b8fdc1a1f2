"""What leaves through apprise: to Telegram, by mail and as JSON, each as its receiver gets it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.base.errors import WrongUse
from orchestration.digest.addresses import Address
from orchestration.digest.message import Block, Message, Span, line
from orchestration.digest.sending import ATTEMPTS, is_readable, send
from tests.standins.server import Reply, Request, StandIn, json_reply
from tests.standins.smtp import PASSWORD, USER, SmtpStandIn
from tests.standins.telegram import HOST, TOKEN, TelegramStandIn

MESSAGE = Message(
    "Утро: среда, 11 марта",
    (
        Block("Вчера, 10 марта", (line("Выручка: 1,5 млн ₽"), line('A <b> & "c"'))),
        Block("", (line(Span("Анна", True, "https://sales.example.com/#people?a=1&b=2"), ": да"),)),
    ),
    (Span("Обзор", link="https://sales.example.com/#overview?lang=ru&grain=month"),),
)
TELEGRAM = Address("tgram://${BOT}/-100200300")


def deliver(address: Address) -> str:
    return send(address, MESSAGE.title, MESSAGE.text, MESSAGE.html, wait=0)


class Hook(StandIn):
    """Takes any request."""

    def answer(self, request: Request) -> Reply:
        return json_reply({})


@pytest.fixture
def telegram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TelegramStandIn]:
    with TelegramStandIn(tmp_path) as standin:
        for name, value in standin.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BOT", TOKEN)
        yield standin


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SmtpStandIn, Address]]:
    with SmtpStandIn() as standin:
        monkeypatch.setenv("MAIL_USER", USER)
        monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
        yield (
            standin,
            Address(
                f"mailto://${{MAIL_USER}}:${{MAIL_PASSWORD}}@example.com:{standin.port}"
                # Between two tries of a mail apprise waits for seconds.
                "?smtp=127.0.0.1&to=olga@example.com&retry=0"
            ),
        )


def test_telegram_gets_the_title_bold_lines_and_links(telegram):
    # apprise leaves empty lines out there: headings are bold instead.
    assert deliver(TELEGRAM) == ""
    assert telegram.connects == [f"{HOST}:443"]
    (message,) = telegram.messages
    assert message["chat_id"] == -100200300
    assert message["parse_mode"] == "HTML"
    assert message["text"].replace("\r\n", "\n") == (
        "<b>Утро: среда, 11 марта</b>\n"
        "<b>Вчера, 10 марта</b>\n"
        "• Выручка: 1,5 млн ₽\n"
        '• A &lt;b&gt; &amp; "c"\n'
        '<b><a href="https://sales.example.com/#people?a=1&amp;b=2">Анна</a></b>: да\n'
        '<a href="https://sales.example.com/#overview?lang=ru&amp;grain=month">Обзор</a>'
    )


def test_telegram_is_tried_again_a_few_times(telegram):
    telegram.faults = [(500, "later"), (502, "later")]
    assert deliver(TELEGRAM) == ""
    assert len(telegram.requests) == ATTEMPTS and len(telegram.messages) == 1


def test_a_refusal_is_told_without_the_token(telegram, monkeypatch, capfd, caplog):
    monkeypatch.setenv("BOT", "999999999:BBEl1dR4zWrongWrongWrongWrongWrong")
    with caplog.at_level(logging.WARNING):
        failure = deliver(TELEGRAM)
    assert failure == "Failed to send Telegram notification to -100200300: Unauthorized, error=401."
    assert len(telegram.requests) == ATTEMPTS
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "WrongWrong" not in printed


def test_an_answer_that_repeats_the_token_does_not_get_it_printed(telegram):
    telegram.faults = [(403, f"bot {TOKEN} was blocked")] * ATTEMPTS
    assert deliver(TELEGRAM) == (
        "Failed to send Telegram notification to -100200300: bot *** was blocked, error=403."
    )


def test_nobody_listening_is_told(telegram, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    failure = deliver(TELEGRAM)
    assert failure == "A connection error occurred sending Telegram:-100200300 notification."


def test_mail_has_the_title_as_its_subject_and_both_forms(mail):
    standin, address = mail
    assert deliver(address) == ""
    (came,) = standin.mails
    assert (came.recipients, standin.logins) == (["olga@example.com"], [USER])
    assert came.message["Subject"] == "Утро: среда, 11 марта"
    assert MESSAGE.html in came.part("html")
    plain = came.part("plain")
    for text in ("Вчера, 10 марта", "• Выручка: 1,5 млн ₽", '• A <b> & "c"', "Анна: да", "Обзор"):
        assert text in plain


def test_a_mail_that_is_refused_is_told(mail):
    standin, address = mail
    standin.refusals = ["451 try later"]
    assert deliver(address) == 'Sending email to "olga@example.com" failed.'
    assert standin.mails == []
    assert deliver(address) == ""
    assert len(standin.mails) == 1


def test_a_server_that_repeats_the_password_does_not_get_it_printed(mail, monkeypatch):
    standin, address = mail
    monkeypatch.setenv("MAIL_PASSWORD", "another/+secret")
    failure = deliver(address)
    assert failure and "another" not in failure
    assert standin.mails == []


def test_a_service_whose_form_is_text_gets_text_with_addresses():
    with Hook() as hook:
        assert deliver(Address(f"{hook.address.replace('http', 'json')}/hook")) == ""
    (request,) = hook.requests
    body = json.loads(request.body)
    assert (request.path, body["title"], body["message"]) == ("/hook", MESSAGE.title, MESSAGE.text)
    assert body["message"] == (
        'Вчера, 10 марта\n• Выручка: 1,5 млн ₽\n• A <b> & "c"\n\nАнна: да\n\n'
        "Обзор: https://sales.example.com/#overview?lang=ru&grain=month"
    )


def test_an_address_that_apprise_does_not_know_is_told(monkeypatch):
    monkeypatch.setenv("WORD", "x")
    assert deliver(Address("pigeon://${WORD}/roof")) == "apprise cannot read the address"
    assert not is_readable(Address("pigeon://${WORD}/roof"))
    monkeypatch.setenv("BOT", TOKEN)
    assert is_readable(TELEGRAM)


def test_a_variable_that_is_not_set_is_told_before_anything_is_sent():
    with pytest.raises(WrongUse, match="the variable NOT_SET_ANYWHERE is not set"):
        deliver(Address("tgram://${NOT_SET_ANYWHERE}/1"))
