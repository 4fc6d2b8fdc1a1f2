"""What an address of the server is made of.

An endpoint is a function from a session and checked parameters to a reply. The server does the
rest: it finds out who asks, holds the limits, caches replies until the next publication, and
answers 304 to who has the reply already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orchestration.serving.session import Session


@dataclass(frozen=True)
class Reply:
    """The body of an answer, and its type; `headers` are added to those of every answer."""

    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Parameters(BaseModel):
    """Parameters of an address, each declared once: they are checked and described by this.

    A list may be given as `name=a&name=b`, and where it is a `Listed` as `name=a,b`. What is not
    declared is refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _parts(value: object) -> object:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        return value
    return [part.strip() for text in texts for part in str(text).split(",") if part.strip()]


Word = Annotated[str, Field(max_length=200)]
Listed = Annotated[tuple[Word, ...], BeforeValidator(_parts), Field(max_length=50)]


P = TypeVar("P", bound=Parameters)


@dataclass(frozen=True)
class Endpoint(Generic[P]):
    """One address. `answer` runs in a thread, within the limits; it may raise VoronkaError.

    Its reply must depend on nothing but the session and the parameters: it is cached by them.
    `media_types` are those that it can answer in, chosen by a parameter `format` or by Accept;
    `schema` describes the first one, as JSON Schema.
    """

    path: str
    answer: Callable[[Session, P], Reply]
    parameters: type[P]
    summary: str
    description: str = ""
    media_types: Mapping[str, str] = field(default_factory=lambda: {"json": "application/json"})
    schema: Mapping[str, Any] = field(default_factory=dict)
