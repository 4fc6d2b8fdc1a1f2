"""What a model answers: whole or as a stream, and what of it is an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from orchestration.base.errors import first_line
from orchestration.call_evaluations.prompt import FLAGS
from orchestration.call_evaluations.transcript import Transcript
from orchestration.connectors.http import Answer

_PLACES = Decimal("0.0001")


class Broken(Exception):
    """An answer that is no evaluation; its text says why."""


@dataclass(frozen=True)
class Completion:
    """The model's text, and the tokens that the endpoint counted; None where it did not."""

    text: str
    tokens: int | None


class _Flag(BaseModel):
    value: bool | None
    quote: str | None = None


class _Verdict(BaseModel):
    score: Annotated[Decimal, Field(ge=0, le=100, allow_inf_nan=False)]
    needs_found: _Flag
    presentation_made: _Flag
    objections_handled: _Flag
    next_step_agreed: _Flag


@dataclass(frozen=True)
class Evidence:
    """What the model said of one flag. `is_found`: its quote was said; None without a quote."""

    flag: str
    said: bool | None
    quote: str | None
    is_found: bool | None

    @property
    def value(self) -> bool | None:
        """What counts: a yes needs a quote, and a quote has to be in the transcript."""
        is_proved = self.is_found if self.said else self.is_found is not False
        return self.said if is_proved else None

    @property
    def is_unproved(self) -> bool:
        """Whether the flag was said, but does not count."""
        return self.said is not None and self.value is None


@dataclass(frozen=True)
class Evaluation:
    """A score from 0 to 100 with four places, and the evidence of each flag."""

    score: Decimal
    evidence: Sequence[Evidence]

    @property
    def flags(self) -> Mapping[str, bool | None]:
        """The contract's flags."""
        return {it.flag: it.value for it in self.evidence}


def completion_of(answer: Answer) -> Completion:
    """The text of an answer. Raises Broken where there is none, or it was cut."""
    if _is_stream(answer):
        return _streamed(answer.text)
    try:
        data = answer.data
    except ValueError:
        raise Broken("no JSON") from None
    if not isinstance(data, dict) or not data.get("choices"):
        raise Broken(f"no choices: {answer.own_words}")
    message = _mapping(_mapping(data["choices"][0]).get("message"))
    _check_end(_mapping(data["choices"][0]).get("finish_reason"))
    if message.get("refusal"):
        raise Broken("the model refused to answer")
    return Completion(_content(message.get("content")), _tokens(data))


def evaluation_of(text: str, transcript: Transcript) -> Evaluation:
    """The evaluation in a model's text. Raises Broken where it is none by the schema."""
    # Some models write a fence or their thoughts around it.
    inner = text[text.find("{") : text.rfind("}") + 1]
    try:
        verdict = _Verdict.model_validate(json.loads(inner, parse_float=Decimal))
    except ValidationError as error:
        wrong = error.errors()[0]
        raise Broken(f"{'.'.join(str(it) for it in wrong['loc'])}: {wrong['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise Broken(f"no JSON of the schema ({first_line(error)})") from None
    evidence = [_evidence(name, getattr(verdict, name), transcript) for name in FLAGS]
    return Evaluation(verdict.score.quantize(_PLACES, ROUND_HALF_UP), evidence)


def _evidence(name: str, flag: _Flag, transcript: Transcript) -> Evidence:
    quote = (flag.quote or "").strip() or None
    return Evidence(name, flag.value, quote, transcript.has(quote) if quote else None)


def _is_stream(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "")
    return "event-stream" in kind or answer.text.lstrip().startswith(("data:", "event:"))


def _streamed(text: str) -> Completion:
    parts: list[str] = []
    tokens: int | None = None
    ended = False
    for event in _events(text):
        if event.strip() == "[DONE]":
            ended = True
            continue
        try:
            data = _mapping(json.loads(event))
        except ValueError:
            raise Broken("a stream with an event that is no JSON") from None
        if data.get("error"):
            raise Broken("the stream ended with an error")
        tokens = _tokens(data) or tokens
        for choice in data.get("choices") or []:
            delta = _mapping(_mapping(choice).get("delta"))
            parts.append(str(delta.get("content") or ""))
            reason = _mapping(choice).get("finish_reason")
            _check_end(reason)
            ended = ended or reason is not None
    if not ended:
        raise Broken("a stream that was cut")
    return Completion("".join(parts), tokens)


def _events(text: str) -> Iterator[str]:
    """The data of server-sent events."""
    data: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def _check_end(reason: object) -> None:
    if reason in ("length", "content_filter"):
        raise Broken("it was cut at its longest" if reason == "length" else "it was filtered")


def _content(value: Any) -> str:
    if isinstance(value, list):
        return "".join(str(_mapping(part).get("text") or "") for part in value)
    return str(value or "")


def _tokens(data: Mapping[str, Any]) -> int | None:
    total = _mapping(data.get("usage")).get("total_tokens")
    return total if isinstance(total, int) and total >= 0 else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
