"""A mail server that takes messages on loopback, and can refuse them."""

from __future__ import annotations

import base64
import socketserver
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from tests.standins.listening import Listening, LoopbackServer

USER, PASSWORD = "voronka@example.com", "mail-secret/+@"


@dataclass
class Mail:
    """One mail that came: envelope and message."""

    sender: str
    recipients: list[str]
    data: bytes

    @property
    def message(self) -> EmailMessage:
        found = message_from_bytes(self.data, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def part(self, subtype: str) -> str:
        """The body in one form: plain or html."""
        body = self.message.get_body((subtype,))
        assert body is not None
        return str(body.get_content()).strip()


@dataclass
class SmtpStandIn(Listening):
    """Speaks as much of SMTP as a client needs; wants a password.

    `refusals` are answers to the next mails instead of taking them: "451 later".
    """

    mails: list[Mail] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        standin = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def line(self) -> str:
                return self.rfile.readline().decode().strip()

            def handle(self) -> None:
                self.say("220 somebody.example")
                sender, recipients = "", []
                while line := self.line():
                    word = line.upper().split()[0]
                    if word == "EHLO":
                        self.say("250-somebody.example")
                        self.say("250 AUTH PLAIN")
                    elif word == "AUTH":
                        self.login(line)
                    elif word == "MAIL":
                        sender = address_of(line)
                        self.say("250 fine")
                    elif word == "RCPT":
                        recipients.append(address_of(line))
                        self.say("250 fine")
                    elif word == "DATA":
                        self.data(sender, recipients)
                        sender, recipients = "", []
                    elif word == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 fine")

            def login(self, line: str) -> None:
                given = line.split()[2] if len(line.split()) > 2 else self.asked()
                _, user, password = base64.b64decode(given).decode().split("\0")
                standin.logins.append(user)
                is_right = (user, password) == (USER, PASSWORD)
                self.say("235 welcome" if is_right else f"535 wrong password {password}")

            def asked(self) -> str:
                self.say("334 ")
                return self.line()

            def data(self, sender: str, recipients: list[str]) -> None:
                if standin.refusals:
                    self.say(standin.refusals.pop(0))
                    return
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) != b".\r\n":
                    lines.append(line[1:] if line.startswith(b"..") else line)
                standin.mails.append(Mail(sender, recipients, b"".join(lines)))
                self.say("250 taken")

        self._listen(LoopbackServer(("127.0.0.1", 0), Handler))
        return self


def address_of(line: str) -> str:
    """The address in `MAIL FROM:<…>`."""
    return line.partition("<")[2].partition(">")[0]
