"""What is asked of the model: the prompt of seeds/reference with its version, and the schema."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.base.errors import WrongUse
from orchestration.base.files import read_json, write_json
from orchestration.base.settings import Settings

PROMPT_FILE = Path("seeds/reference/call_evaluation_prompt.md")
FLAGS = ("needs_found", "presentation_made", "objections_handled", "next_step_agreed")
_VERSION = re.compile(r"version: *([A-Za-z0-9._-]{1,40})\s*\n\s*\n")


@dataclass(frozen=True)
class Prompt:
    """The system message and the version under which its answers are stored."""

    version: str
    text: str

    def evaluator(self, model: str) -> str:
        """Who has evaluated, in the raw contract's column."""
        return f"{model}@{self.version}"

    @property
    def digest(self) -> str:
        """The same for the same text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_prompt(settings: Settings) -> Prompt:
    """The prompt of the project. Raises WrongUse where it cannot be read or has no version."""
    file = settings.root / PROMPT_FILE
    try:
        written = file.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{file} cannot be read: {error}", "Bring it back from the project.") from (
            error
        )
    found = _VERSION.match(written)
    text = written[found.end() :].strip() if found else ""
    if found is None or not text:
        raise WrongUse(
            f"{file} does not begin with a version and a text.",
            "Begin it with a line such as `version: 2`, an empty line, then the prompt.",
        )
    return Prompt(found[1], text)


def hold_to_version(prompt: Prompt, file: Path) -> None:
    """Remember what a version says. Raises WrongUse where it once said something else.

    Evaluations by two prompts under one name could never be told apart.
    """
    known = read_json(file)
    if known.get(prompt.version, prompt.digest) != prompt.digest:
        raise WrongUse(
            f"{PROMPT_FILE} has changed, and its version is still {prompt.version}.",
            "Give it another version in its first line.",
        )
    if prompt.version not in known:
        write_json(file, {**known, prompt.version: prompt.digest})


def response_format() -> dict[str, Any]:
    """The answer's JSON schema, as OpenAI-compatible endpoints take it."""
    flag = {
        "type": "object",
        "additionalProperties": False,
        "required": ["value", "quote"],
        "properties": {
            "value": {"type": ["boolean", "null"]},
            "quote": {"type": ["string", "null"]},
        },
    }
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["score", *FLAGS],
        "properties": {"score": {"type": "number"}, **dict.fromkeys(FLAGS, flag)},
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "call_evaluation", "strict": True, "schema": schema},
    }
