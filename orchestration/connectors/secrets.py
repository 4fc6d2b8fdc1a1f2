"""Secrets: read from the environment, and kept out of every text.

A refresh token that works once has to outlive the process that used it. It is stored in one file
of the data directory that only its owner may read; nothing else ever writes a secret.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, quote_plus

from filelock import FileLock
from pydantic import BeforeValidator, Field

from orchestration.base.errors import WrongUse
from orchestration.base.files import read_json, sync
from orchestration.base.settings import environment_value

_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_HIDDEN = "***"


def _reference(value: object) -> str:
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise ValueError("literal secret")
    return value


# A key of a connection that holds the name of an environment variable, never the secret.
SecretRef = Annotated[str, BeforeValidator(_reference)]


def secret_key(description: str, shown: bool = False) -> Any:
    """The field of a key that holds a SecretRef, None where it is not given."""
    return Field(
        default=None, description=description, json_schema_extra={"secret": True, "shown": shown}
    )


def variable_of(reference: str) -> str:
    """The name of the variable that a SecretRef names."""
    return reference.removeprefix("env:")


def is_set(reference: str) -> bool:
    """Whether the variable that a SecretRef names has a value here."""
    return bool((environment_value(variable_of(reference)) or "").strip())


def secret_line(connection: str, key: str) -> str:
    """The line to write where somebody wrote the secret itself."""
    return f"{key}: env:{connection.upper()}_{key.upper()}"


class Mask:
    """Replaces secrets in texts by `***`, also where they were encoded for a URL."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def hide(self, secret: str) -> str:
        """Hide this text from now on; gives it back."""
        if secret:
            encoded = (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
            self._forms |= {*encoded, json.dumps(secret)[1:-1], repr(secret)[1:-1]}
        return secret

    def __call__(self, text: str) -> str:
        """The text without secrets; longer ones first, so that none is left in part."""
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, _HIDDEN)
        return text


def read_secret(reference: str, connection: str, key: str, mask: Mask) -> str:
    """The secret that a key of a connection refers to. Raises WrongUse where it is not set."""
    name = variable_of(reference)
    value = (environment_value(name) or "").strip()
    if not value:
        raise WrongUse(
            f"{connection}: {key} is env:{name}, and the variable {name} is not set.",
            f"Set it where voronka runs: export {name}='…'",
        )
    return mask.hide(value)


class SecretStore:
    """Secrets that a system has given us in exchange for those of the environment.

    `seed` is what the person set. When it changes, what was stored belongs to an authorisation
    that is over, and is not used any more.
    """

    def __init__(self, file: Path, seed: str, mask: Mask) -> None:
        self._file = file
        self._seed = hashlib.sha256(seed.encode()).hexdigest()
        self._mask = mask

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process exchange a secret meanwhile."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(self._file.with_suffix(".lock"), timeout=60):
            yield

    def read(self) -> Mapping[str, str]:
        """What is stored for this seed; empty where there is nothing."""
        stored = read_json(self._file)
        if stored.get("seed") != self._seed:
            return {}
        values: dict[str, Any] = stored.get("values", {})
        return {name: self._mask.hide(str(value)) for name, value in values.items()}

    def write(self, values: Mapping[str, str]) -> None:
        """Replace what is stored. It is on the disk, for its owner alone, when this returns."""
        for value in values.values():
            self._mask.hide(value)
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._file.with_suffix(".tmp")
        draft.unlink(missing_ok=True)
        text = json.dumps({"seed": self._seed, "values": dict(values)})
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        sync(draft)
        os.replace(draft, self._file)
        sync(self._file.parent)
