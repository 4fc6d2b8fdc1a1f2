"""Any OpenAI-compatible endpoint, behind the connectors' frame of waits, refusals and secrets."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from orchestration.base.errors import WrongUse
from orchestration.base.interrupt import stop_if_asked
from orchestration.base.settings import Settings
from orchestration.call_evaluations.prompt import Prompt, response_format
from orchestration.call_evaluations.transcript import Transcript
from orchestration.connectors.clock import Clock
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.report import Report
from orchestration.connectors.secrets import Mask, read_secret, variable_of

PATH = "/chat/completions"
ANSWER_TOKENS = 1_500
NAME = "evaluate-calls"
_PER_SECOND = 5.0
_STEP = 0.2
# What some models do not take, by the name that their refusal says.
_LONGEST, _LONGEST_OF_NEWER = "max_tokens", "max_completion_tokens"
_OPTIONAL = ("temperature", "stream_options")


class NotTaken(Exception):
    """The endpoint does not take this request; its text is what it says of it."""


class Waits(Clock):
    """A clock whose waits end where somebody asks to stop, though the signal was put off."""

    def __init__(self, inner: Clock) -> None:
        super().__init__(inner.fixed)
        self._inner = inner

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._inner.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        while seconds > 0:
            stop_if_asked()
            self._inner.sleep(min(seconds, _STEP))
            seconds -= _STEP
        stop_if_asked()


class Endpoint:
    """One model. Raises WrongUse where the settings do not say which, or have no key."""

    def __init__(self, settings: Settings, prompt: Prompt, clock: Clock) -> None:
        self.model = _needed(settings.llm_model, "VORONKA_LLM_MODEL", "gpt-4o-mini")
        self.url = _url(settings)
        self.report = Report(NAME, "llm", clock.now())
        self._mask = Mask()
        self._prompt = prompt
        self._is_streamed = settings.llm_stream
        self._left_out: set[str] = set()
        self._longest = _LONGEST
        clock = Waits(clock)
        self._http = Http(
            NAME, self.model, self.url, clock, self._mask, self.report,
            Pace(_PER_SECOND, clock), self._judge, settings.llm_timeout,
        )  # fmt: skip
        self._key = settings.llm_key
        if self._key:
            key = read_secret(self._key, NAME, "VORONKA_LLM_KEY", self._mask)
            self._http.headers["Authorization"] = f"Bearer {key}"
        self._http.headers["Accept"] = "application/json, text/event-stream"

    @property
    def is_open(self) -> bool:
        """Whether the transcripts would cross a network in plain text."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")

    def body(self, transcript: Transcript) -> dict[str, Any]:
        """All that is sent about a call."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": self._prompt.text},
                {"role": "user", "content": transcript.as_json},
            ],
            "response_format": response_format(),
            "temperature": 0,
            self._longest: ANSWER_TOKENS,
        }
        if self._is_streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return {name: value for name, value in body.items() if name not in self._left_out}

    def without_secrets(self, text: str) -> str:
        """The text as it may be shown."""
        return self._mask(text)

    def ask(self, transcript: Transcript) -> Answer:
        """The endpoint's answer about a call.

        Raises NotTaken where it does not take this one, Refused where a retry cannot mend it, and
        TryLater where it may pass.
        """
        while True:
            try:
                return self._http.request(
                    "POST", PATH, json_body=self.body(transcript), is_text=True
                )
            except NotTaken as refusal:
                if not self._yield_to(str(refusal)):
                    raise

    def _yield_to(self, words: str) -> bool:
        """Leave out a part of the request that a refusal names; whether there was one."""
        if self._longest == _LONGEST and _LONGEST_OF_NEWER in words:
            self._longest = _LONGEST_OF_NEWER
            return True
        named = {it for it in _OPTIONAL if it in words} - self._left_out
        self._left_out |= named
        return bool(named)

    def _judge(self, answer: Answer) -> Again | None:
        if answer.status in (401, 403):
            raise refuse(self._advice())
        if answer.status == 404:
            raise refuse("Correct VORONKA_LLM_URL, which often ends in /v1, or VORONKA_LLM_MODEL.")
        if answer.status == 429 and "insufficient_quota" in answer.text:
            raise refuse("Top up the account of this key, or set another one in VORONKA_LLM_KEY.")
        if answer.status in (400, 413, 422):
            raise NotTaken(self._mask(f"{answer.status} {answer.own_words}"))
        return None

    def _advice(self) -> str:
        if not self._key:
            return "Name the variable that holds the key: VORONKA_LLM_KEY=env:NAME."
        return f"Correct the key in {variable_of(self._key)}, or what it may do."


def _url(settings: Settings) -> str:
    url = _needed(settings.llm_url, "VORONKA_LLM_URL", "https://api.openai.com/v1")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise WrongUse(
            "VORONKA_LLM_URL is no address of http or https without a login.",
            "Write it like https://api.openai.com/v1; the key has a variable of its own.",
        )
    return url.rstrip("/").removesuffix(PATH)


def _needed(value: str | None, name: str, example: str) -> str:
    if not (value or "").strip():
        raise WrongUse(f"{name} is not set.", f"Set it, for example: export {name}={example}")
    return str(value).strip()
