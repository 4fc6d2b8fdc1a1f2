"""An OpenAI-compatible endpoint whose judge follows the system message alone, and can misbehave."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.standins.server import Reply, Request, StandIn, json_reply

KEY = "llm-endpoint-secret"
PATH = "/v1/chat/completions"
FLAGS = ("needs_found", "presentation_made", "objections_handled", "next_step_agreed")

Json = dict[str, Any]


class LlmStandIn(StandIn):
    """Judges a talk by its number of turns; whatever is said in it changes nothing.

    `judge` may be replaced, to answer another text than a good evaluation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.judge: Callable[[list[Json]], str] = lambda turns: json.dumps(verdict(turns))

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    @property
    def asked(self) -> list[Json]:
        """The bodies of all requests."""
        return [request.json for request in self.requests]

    @property
    def talks(self) -> list[list[Json]]:
        """The turns of all requests."""
        return [turns_of(body) for body in self.asked]

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return json_reply({"error": {"message": f"Incorrect API key: {KEY}"}}, 401)
        if request.path != PATH:
            return json_reply({"error": {"message": "nothing here"}}, 404)
        text = self.judge(turns_of(request.json))
        return streamed(text) if request.json.get("stream") else whole(text)


def turns_of(body: Json) -> list[Json]:
    """The talk in a request, which is all that its message holds."""
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    message = json.loads(user["content"])
    assert set(message) == {"turns"}
    return list(message["turns"])


def verdict(turns: list[Json], **flags: Any) -> Json:
    """An evaluation in the schema: all flags met, each with the first turn as its quote."""
    met = {"value": True, "quote": turns[0]["text"]}
    return {"score": 10 * len(turns), **dict.fromkeys(FLAGS, met), **flags}


def whole(text: str, tokens: int | None = 321, finish: str = "stop") -> Reply:
    """An answer in one piece."""
    body: Json = {"choices": [{"message": {"content": text}, "finish_reason": finish}]}
    return json_reply(body | ({} if tokens is None else {"usage": {"total_tokens": tokens}}))


def streamed(text: str, is_cut: bool = False) -> Reply:
    """The same in server-sent events of a few characters each, with a comment to keep it alive."""
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    events: list[Json] = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    if not is_cut:
        events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        events.append({"choices": [], "usage": {"total_tokens": 321}})
    lines = [": ping", *(f"data: {json.dumps(it, ensure_ascii=False)}" for it in events)]
    end = [] if is_cut else ["data: [DONE]"]
    body = "\n\n".join([*lines, *end, ""]).encode()
    return Reply(200, body, {"Content-Type": "text/event-stream"})


def slowly(seconds: float) -> Callable[[Request], None]:
    """A fault that lets a request wait before its answer."""
    return lambda request: time.sleep(seconds)
