"""Digests and alerts: who gets what now, what waits, what went out and what did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import duckdb

from orchestration.base.errors import (
    EXIT_GOOD,
    EXIT_TRY_LATER,
    EXIT_WRONG_USE,
    VoronkaError,
    WrongUse,
    first_line,
)
from orchestration.base.settings import Settings
from orchestration.digest.addresses import Address
from orchestration.digest.alerts import Alert, look, news, write_alert
from orchestration.digest.engineer import engineer_message
from orchestration.digest.facts import Reader
from orchestration.digest.freshness import Calendar, Loads, read_loads
from orchestration.digest.journal import Journal, Waiting, only_sender
from orchestration.digest.links import Page
from orchestration.digest.message import Message
from orchestration.digest.recipients import Notifications, Recipient, Role, read_notifications
from orchestration.digest.sending import send
from orchestration.digest.words import Words
from orchestration.digest.writing import Writer
from orchestration.metrics.choices import Language
from orchestration.serving.session import Warehouse
from orchestration.serving.viewer import Viewer

# How one message goes out: address, title, text, HTML; what went wrong, empty where nothing did.
Send = Callable[[Address, str, str, str], str]
_DIGEST, _ALERT = "digest", "alert"


@dataclass(frozen=True)
class Draft:
    """A message that would go out, and why it would not, where it would not."""

    recipient: str
    schemes: tuple[str, ...]
    message: Message
    reason: str = ""


@dataclass
class Outcome:
    """What a run came to, one line for each recipient and address, in English."""

    sent: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    # What was not taken, and may be another time; what somebody has to correct first.
    failed: list[str] = field(default_factory=list)
    wrong: list[WrongUse] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """2 where something has to be corrected, 75 where a later run may do it."""
        if self.wrong:
            return EXIT_WRONG_USE
        return EXIT_TRY_LATER if self.failed else EXIT_GOOD


class Run:
    """One run of the command, of Dagster or after a refresh."""

    def __init__(
        self,
        settings: Settings,
        language: Language | None = None,
        courier: Send = send,
        now: datetime | None = None,
    ) -> None:
        """`language` overrides that of every recipient."""
        self._settings = settings
        self._language = language
        self._courier = courier
        self._now = now or settings.now or datetime.now(UTC)

    @cached_property
    def notifications(self) -> Notifications:
        """Who there is. Raises WrongUse where the file is wrong."""
        return read_notifications(self._settings)

    def digests(self, names: Sequence[str] = (), is_dry: bool = False) -> Outcome:
        """The morning's messages, and what waited. With `is_dry` nothing is sent or noted.

        Raises WrongUse where notifications.yml cannot be read or names nobody.
        """
        chosen = self._chosen(names)
        outcome = Outcome()
        if is_dry:
            journal = Journal(self._settings.notifications_dir)
            with self._warehouse() as warehouse:
                for recipient in chosen:
                    self._draft(recipient, journal, warehouse, outcome)
            return outcome
        with only_sender(self._settings.notifications_dir):
            journal = Journal(self._settings.notifications_dir)
            self._deliver(journal, outcome, {it.name for it in chosen} if names else None)
            with self._warehouse() as warehouse:
                for recipient in chosen:
                    self._send_digest(recipient, journal, warehouse, outcome)
        return outcome

    def alerts(
        self, names: Sequence[str] = (), is_dry: bool = False, patience: float = 0.0
    ) -> Outcome:
        """What engineers have to know now, and what waited. `patience` is in seconds.

        Raises as `digests` does.
        """
        chosen = [it for it in self._chosen(names) if it in self.notifications.engineers]
        outcome = Outcome()
        if is_dry:
            journal = Journal(self._settings.notifications_dir)
            for alert in self._news(journal)[0]:
                for recipient in chosen:
                    message = self._alert(alert, recipient)
                    reason = self._reason_to_wait(recipient)
                    outcome.drafts.append(_draft(recipient, message, reason))
            return outcome
        with only_sender(self._settings.notifications_dir, patience):
            journal = Journal(self._settings.notifications_dir)
            found, seen = self._news(journal)
            for alert in found:
                for recipient in self.notifications.engineers:
                    self._enqueue(alert, recipient, journal)
            journal.seen = seen
            # What is new and what is seen reach the disk together: neither is without the other.
            journal.save(self._now)
            self._deliver(journal, outcome, {it.name for it in chosen} if names else None)
        return outcome

    def _chosen(self, names: Sequence[str]) -> list[Recipient]:
        if not self.notifications.recipients:
            raise WrongUse(
                f"Nobody is named in {self._settings.notifications_file}.",
                "Copy notifications.example.yml there and fill it in; docs/digest.md explains it.",
            )
        return self.notifications.chosen(list(names))

    @contextmanager
    def _warehouse(self) -> Iterator[Warehouse]:
        warehouse = Warehouse(self._settings)
        try:
            yield warehouse
        finally:
            warehouse.close()

    @cached_property
    def _zone_name(self) -> str:
        return self._settings.variables.reporting_timezone

    @cached_property
    def _calendar(self) -> Calendar:
        return Calendar.published(self._settings)

    @cached_property
    def _loads(self) -> Loads:
        return read_loads(self._settings, self._zone_name, self._calendar)

    def _local(self, recipient: Recipient) -> datetime:
        return self._now.astimezone(recipient.zone(self._zone_name))

    def _today(self, recipient: Recipient) -> date:
        return self._local(recipient).date()

    def _reason_to_wait(self, recipient: Recipient) -> str:
        """Why a recipient is left in peace now; empty where nothing speaks for it."""
        local = self._local(recipient)
        if not recipient.days_off and not self._calendar.is_working(local.date()):
            return "a day off"
        if recipient.quiet is not None and recipient.quiet.holds(local):
            return f"quiet hours until {recipient.quiet.end_after(local):%H:%M}"
        return ""

    def _words(self, recipient: Recipient) -> Words:
        language = self._language or recipient.language
        return Words(language.value, self._settings.variables.base_currency)

    def _page(self, recipient: Recipient) -> Page:
        language = self._language or recipient.language
        return Page(self._settings.page_url or "", language.value)

    def _digest(self, recipient: Recipient, warehouse: Warehouse) -> Message:
        """A recipient's message. Raises VoronkaError where it cannot be written."""
        zone = recipient.zone(self._zone_name)
        words, page = self._words(recipient), self._page(recipient)
        today = self._today(recipient)
        try:
            if recipient.role is Role.ENGINEER:
                return engineer_message(
                    self._settings, warehouse, self._loads, self._calendar, today, words, page, zone
                )
            with warehouse.session(viewer_of(recipient, warehouse)) as session:
                morning = Reader(session, self._loads, today, self._zone_name).morning()
                writer = Writer(morning, session.metrics.catalogue, words, page, zone)
                return writer.message(recipient.role, self._loads.late(today, self._calendar))
        except duckdb.Error as error:
            raise WrongUse(
                f"What is published cannot be read: {first_line(error)}",
                "Run `voronka refresh`, which publishes with this version's marts.",
            ) from error

    def _draft(
        self, recipient: Recipient, journal: Journal, warehouse: Warehouse, outcome: Outcome
    ) -> None:
        reason = self._reason_to_wait(recipient)
        if all(journal.is_sent(self._key(recipient, it)) for it in recipient.to):
            reason = "sent already"
        try:
            message = self._digest(recipient, warehouse)
        except VoronkaError as error:
            outcome.wrong.append(_about(recipient, error))
            return
        outcome.drafts.append(_draft(recipient, message, reason))

    def _send_digest(
        self, recipient: Recipient, journal: Journal, warehouse: Warehouse, outcome: Outcome
    ) -> None:
        left = [it for it in recipient.to if not journal.is_sent(self._key(recipient, it))]
        if not left:
            outcome.skipped.append(f"{recipient.name}: sent already")
            return
        reason = self._reason_to_wait(recipient)
        if reason:
            outcome.held.append(f"{recipient.name}: {reason}")
            return
        try:
            message = self._digest(recipient, warehouse)
        except VoronkaError as error:
            outcome.wrong.append(_about(recipient, error))
            return
        for address in left:
            key = self._key(recipient, address)
            said = self._hand_over(recipient, address, message.title, message.text, message.html,
                                   outcome)  # fmt: skip
            if said:
                journal.note_sent(key, self._now)

    def _hand_over(
        self,
        recipient: Recipient,
        address: Address,
        title: str,
        text: str,
        html: str,
        outcome: Outcome,
    ) -> bool:
        """Send one message to one address; whether it was taken."""
        who = f"{recipient.name} ({address.scheme})"
        try:
            failure = self._courier(address, title, text, html)
        except WrongUse as error:
            outcome.wrong.append(_about(recipient, error))
            return False
        if failure:
            outcome.failed.append(f"{who}: {failure}")
            return False
        outcome.sent.append(f"{who}: {title}")
        return True

    def _news(self, journal: Journal) -> tuple[list[Alert], dict[str, object]]:
        today = self._now.astimezone(ZoneInfo(self._zone_name)).date()
        seen = look(self._settings, self._loads, today, self._calendar)
        return news(journal.seen, seen, today)

    def _alert(self, alert: Alert, recipient: Recipient) -> Message:
        return write_alert(alert, self._words(recipient), self._page(recipient))

    def _enqueue(self, alert: Alert, recipient: Recipient, journal: Journal) -> None:
        message = self._alert(alert, recipient)
        waiting = {item.key for item in journal.waiting}
        for address in recipient.to:
            key = f"{_ALERT}:{recipient.name}:{address.key}:{alert.kind}:{alert.key}"
            if key not in waiting and not journal.is_sent(key):
                journal.waiting.append(
                    Waiting(key, recipient.name, address.key, message.title, message.text,
                            message.html, self._now.isoformat())
                )  # fmt: skip

    def _deliver(self, journal: Journal, outcome: Outcome, only: set[str] | None) -> None:
        """Send what waits, to those who may be disturbed; `only` are the names that are meant."""
        for item in list(journal.waiting):
            if only is not None and item.recipient not in only:
                continue
            recipient = self.notifications.recipients.get(item.recipient)
            addresses = {it.key: it for it in recipient.to} if recipient else {}
            if recipient is None or not recipient.enabled or item.address not in addresses:
                journal.waiting.remove(item)
                outcome.skipped.append(f"{item.recipient}: has no such address any more")
                continue
            reason = self._reason_to_wait(recipient)
            if reason:
                outcome.held.append(f"{recipient.name}: {item.title}: {reason}")
                continue
            address = addresses[item.address]
            if self._hand_over(recipient, address, item.title, item.text, item.html, outcome):
                journal.note_sent(item.key, self._now)
            else:
                position = journal.waiting.index(item)
                journal.waiting[position] = replace(item, runs=item.runs + 1)
        for item in journal.given_up():
            outcome.failed.append(f"{item.recipient}: given up: {item.title}")
        journal.save(self._now)

    def _key(self, recipient: Recipient, address: Address) -> str:
        return f"{_DIGEST}:{recipient.name}:{address.key}:{self._today(recipient)}"


def viewer_of(recipient: Recipient, warehouse: Warehouse) -> Viewer:
    """Whose rows a recipient reads. Raises VoronkaError where that is nobody's, or too many."""
    if not recipient.viewer:
        return Viewer(recipient.name, recipient.language)
    viewer = warehouse.viewer(recipient.viewer, recipient.language)
    if recipient.role is Role.MANAGER and not viewer.managers:
        raise WrongUse(
            f"{recipient.viewer} sees no manager's rows of its own.",
            "Name a role of seeds/reference/access_roles.csv with a manager who is there.",
        )
    return viewer


def alert_after_refresh(settings: Settings, say: Callable[[str], None]) -> None:
    """Send alerts where notifications.yml asks for it; `say` hears what went wrong.

    A refresh that has ended stays as it is, whatever becomes of its alerts.
    """
    try:
        run = Run(settings)
        if not run.notifications.alerts_after_refresh:
            return
        outcome = run.alerts(patience=30)
        for failure in [*outcome.failed, *(str(it) for it in outcome.wrong)]:
            say(f"An alert was not sent. {failure}")
    # Whatever is wrong with a message, a fault of ours too, must not turn the exit code of what has
    # been published into a failure, for which a scheduler would repeat it.
    except Exception as error:  # noqa: BLE001 - it is said, and the refresh stands
        say(f"Alerts were not sent: {first_line(error)}")


def _draft(recipient: Recipient, message: Message, reason: str) -> Draft:
    schemes = tuple(dict.fromkeys(it.scheme for it in recipient.to))
    return Draft(recipient.name, schemes, message, reason)


def _about(recipient: Recipient, error: VoronkaError) -> WrongUse:
    """The error with the recipient's name in front."""
    return WrongUse(f"{recipient.name}: {error.message}", error.remedy, error.details)
