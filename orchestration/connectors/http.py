"""Requests to a system: its pace, its waits, its refusals, and no secret in any message.

dlt's own client has one back-off for all errors and sleeps by itself; the systems differ (an error
inside a good answer, a wait named in a header, an address that is blocked for asking on), so the
waits are decided here, by the kind, answer by answer.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestration.base.errors import VoronkaError
from orchestration.connectors.clock import Clock
from orchestration.connectors.errors import Refused, TryLater
from orchestration.connectors.report import Report
from orchestration.connectors.secrets import Mask

if TYPE_CHECKING:
    import requests

TIMEOUT = 60.0
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
BUDGET = 300.0
_JITTER = 0.2
_SHOWN = 200


@dataclass(frozen=True)
class Answer:
    """What came back. `data` is the body as JSON; raises ValueError if it is none."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def data(self) -> Any:
        """The body as JSON; numbers with a point are Decimal. Raises ValueError."""
        if isinstance(self._parsed, ValueError):
            raise self._parsed
        return self._parsed

    @cached_property
    def _parsed(self) -> Any:
        try:
            return json.loads(self.text, parse_float=Decimal)
        except ValueError as error:
            return error

    @property
    def is_json(self) -> bool:
        """Whether the body reads as JSON."""
        return not isinstance(self._parsed, ValueError)

    @property
    def is_html(self) -> bool:
        """Whether the body is a page for people."""
        begins = self.text[:_SHOWN].lstrip()
        return "html" in self.headers.get("content-type", "") or begins[:1] == "<"

    @property
    def date(self) -> datetime | None:
        """When the system says it answered."""
        try:
            return parsedate_to_datetime(self.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError):
            return None

    @property
    def own_words(self) -> str:
        """The beginning of what the system says, for messages."""
        if self.is_html:
            return "a page of HTML"
        # Blanks count: a beginning of five times the length has enough to show.
        return " ".join(self.text[: 5 * _SHOWN].split())[:_SHOWN] or "an empty body"


@dataclass(frozen=True)
class Again:
    """Ask again: `why` counts the tries apart, `after` are seconds, None the usual waits.

    `first` are the seconds before the first repetition, where they differ. After `at_most`
    repetitions, or `budget` seconds in all, the request has failed; `remedy` says what to do then.
    """

    why: str
    after: float | None = None
    first: float | None = None
    at_most: int = len(WAITS)
    budget: float = BUDGET
    remedy: str = "Try again later; what was loaded stays."


class Pace:
    """So many requests a second at most, counted over any second.

    With a `burst`, so many at once, and as many again only in the time that they stand for: a
    system that counts over a longer time allows it, and a load with nothing new need not wait.
    """

    def __init__(self, per_second: float, clock: Clock, burst: int | None = None) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._times: deque[float] = deque()

    def wait(self) -> None:
        """Wait until a request is allowed, and count it."""
        count = self._burst or max(1, int(self._per_second))
        span = count / self._per_second
        now = self._clock.monotonic()
        if len(self._times) >= count:
            due = self._times[-count] + span
            if due > now:
                self._clock.sleep(due - now)
        self._times.append(max(now, self._clock.monotonic()))
        while len(self._times) > count:
            self._times.popleft()

    def halve(self) -> None:
        """Ask half as often from now on."""
        self._per_second /= 2


Judge = Callable[[Answer], Again | None]


class Http:
    """A session with one system. `judge` says of an answer whether to ask again, or raises.

    `timeout` are the seconds in which something has to come.
    """

    def __init__(
        self,
        connection: str,
        title: str,
        base_url: str,
        clock: Clock,
        mask: Mask,
        report: Report,
        pace: Pace,
        judge: Judge,
        timeout: float = TIMEOUT,
    ) -> None:
        self.connection = connection
        self.title = title
        self.base_url = base_url.rstrip("/")
        self.pace = pace
        self.headers: dict[str, str] = {"Accept": "application/json", "User-Agent": "voronka"}
        self.skew: float | None = None
        self._clock = clock
        self._mask = mask
        self._report = report
        self._judge = judge
        self._timeout = timeout
        # On its lowest level it writes addresses, and some systems take secrets in them.
        logging.getLogger("urllib3").setLevel(logging.INFO)

    @cached_property
    def _session(self) -> requests.Session:
        import requests

        session = requests.Session()
        # The environment's proxies and authorities, looked up once: each request would search all
        # variables. Logins of ~/.netrc are left out, which would take the token's place.
        own = session.merge_environment_settings(self.base_url, {}, None, None, None)
        session.trust_env = False
        session.proxies, session.verify = own["proxies"], own["verify"]
        return session

    def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        form: Mapping[str, Any] | None = None,
        judge: Judge | None = None,
        what: str = "",
        is_text: bool = False,
    ) -> Answer:
        """One answer that the judge accepts; JSON, or any text that is no page where `is_text`.

        Raises Refused where a retry cannot mend it, TryLater where the tries are used up; both name
        connection, system, endpoint, the system's own words and what to do.
        """

        def send() -> requests.Response:
            return self._session.request(
                method,
                self.base_url + path,
                params=params,
                json=json_body,
                data=form,
                headers=self.headers,
                timeout=self._timeout,
                # A redirect may lead to another host, and takes the token along.
                allow_redirects=False,
            )

        return self.send(send, what or path, judge, is_text)[0]

    def send(
        self,
        send: Callable[[], requests.Response],
        what: str,
        judge: Judge | None = None,
        is_text: bool = False,
    ) -> tuple[Answer, requests.Response]:
        """The same for a request that somebody else has made: `send` sends it once."""
        tries: Counter[str] = Counter()
        started = self._clock.monotonic()
        while True:
            again, words, response = self._ask(send, judge, what, is_text)
            if isinstance(again, Answer) and response is not None:
                return again, response
            assert isinstance(again, Again)
            tries[again.why] += 1
            wait = _wait(again, tries[again.why])
            spent = self._clock.monotonic() - started
            if tries[again.why] > again.at_most or spent + wait > again.budget:
                raise self.later(what, words, again.remedy)
            self._report.waits[again.why] += 1
            self._clock.sleep(wait)

    def _ask(
        self, send: Callable[[], requests.Response], judge: Judge | None, what: str, is_text: bool
    ) -> tuple[Again | Answer, str, requests.Response | None]:
        """An answer, or why to ask again and what was said."""
        import requests

        self.pace.wait()
        self._report.requests[what] += 1
        try:
            response = send()
        except requests.exceptions.SSLError as error:
            raise self.refused(
                what,
                f"its certificate is not accepted ({_inner(error)})",
                "Correct base_url, or name the right authority's file in REQUESTS_CA_BUNDLE.",
            ) from None
        except _passing() as error:
            return Again("connection"), _inner(error), None
        except requests.RequestException as error:
            raise self.refused(what, _inner(error), "Correct base_url.") from None
        try:
            text = response.content.decode(_encoding(response))
        except (UnicodeDecodeError, LookupError):
            words = f"{response.status_code}, but its text is damaged"
            return Again("unreadable"), words, None
        headers = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(response.status_code, headers, text)
        if answer.date is not None:
            self.skew = (answer.date - self._clock.now()).total_seconds()
        return (*self._judged(answer, judge, what, is_text), response)

    def _judged(
        self, answer: Answer, judge: Judge | None, what: str, is_text: bool
    ) -> tuple[Again | Answer, str]:
        words = f"{answer.status} {answer.own_words}"
        for judging in (judge, self._judge):
            try:
                again = judging(answer) if judging else None
            except _Plain as plain:
                raise (self.refused if plain.is_refusal else self.later)(
                    what, plain.words or words, plain.remedy
                ) from None
            if again is not None:
                named = _retry_after(answer)
                if named is not None:
                    again = replace(again, after=named, first=None)
                return again, words
        if answer.status >= 500 or answer.status in (408, 429):
            return Again("status", _retry_after(answer)), words
        if 300 <= answer.status < 400:
            there = answer.headers.get("location", "?")
            raise self.refused(what, f"it has moved to {there}", "Correct base_url.")
        if answer.status >= 400:
            raise self.refused(what, words, "Check the keys of the connection and its rights.")
        is_readable = not answer.is_html if is_text else answer.is_json
        if answer.status != 204 and not is_readable:
            return Again("unreadable"), f"{answer.status}, but no JSON: {answer.own_words}"
        return answer, words

    def hide(self, secret: str) -> str:
        """Hide this text in all messages from now on."""
        return self._mask.hide(secret)

    def refused(self, what: str, words: str, remedy: str) -> Refused:
        """The error for what a retry cannot mend."""
        return Refused(self._message(what, words), self._mask(remedy))

    def later(self, what: str, words: str, remedy: str) -> TryLater:
        """The error for what may pass."""
        return TryLater(self._message(what, words), self._mask(remedy))

    def _message(self, what: str, words: str) -> str:
        return self._mask(f"{self.connection}: {self.title}, {what}: {words}")


class _Plain(VoronkaError):
    def __init__(self, is_refusal: bool, words: str, remedy: str) -> None:
        super().__init__(words, remedy)
        self.is_refusal = is_refusal
        self.words = words


def refuse(remedy: str, words: str = "") -> VoronkaError:
    """For a judge to raise: a retry cannot mend it. `words` replace the system's own."""
    return _Plain(True, words, remedy)


def later(remedy: str, words: str = "") -> VoronkaError:
    """For a judge to raise: it may pass, but asking on now would be wrong."""
    return _Plain(False, words, remedy)


def _wait(again: Again, number: int) -> float:
    if again.first is not None:
        if number == 1:
            return again.first
        number -= 1
    if again.after is not None:
        return again.after
    usual = WAITS[min(number, len(WAITS)) - 1]
    return usual * random.uniform(1 - _JITTER, 1 + _JITTER)


def _retry_after(answer: Answer) -> float | None:
    text = answer.headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until - (answer.date or datetime.now(UTC))).total_seconds())


def _passing() -> tuple[type[Exception], ...]:
    """Errors of a connection that is slow, broken off or cut short."""
    from requests import ConnectionError, Timeout
    from requests.exceptions import ChunkedEncodingError, ContentDecodingError

    return ConnectionError, Timeout, ChunkedEncodingError, ContentDecodingError


def _encoding(response: requests.Response) -> str:
    """The encoding that the answer names; UTF-8 where it names none."""
    is_named = "charset" in response.headers.get("Content-Type", "").lower()
    return (is_named and response.encoding) or "utf-8"


def _inner(error: BaseException) -> str:
    """What went wrong, without the address that libraries put into it."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    text = str(error.args[-1] if error.args else error)
    return f"{type(error).__name__}: {text}"[:_SHOWN]
