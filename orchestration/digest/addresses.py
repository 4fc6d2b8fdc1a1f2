"""Where a message goes: an address of apprise whose secrets are names of variables, `${NAME}`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from orchestration.base.errors import WrongUse
from orchestration.base.settings import environment_value
from orchestration.connectors.secrets import Mask

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)", re.DOTALL)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Keys and tokens are long and hold letters and digits; words, names and numbers of chats do not.
_TOKEN = re.compile(r"(?=[A-Za-z_-]*\d)(?=[\d_-]*[A-Za-z])[A-Za-z0-9_-]{16,}")
_BOT = re.compile(r"\d{5,}:[A-Za-z0-9_-]{10,}")
_PRIVATE = re.compile(r"[?&](pass|password|token|key|apikey|secret)=[^&]", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """An address as it is written, with `${NAME}` where a secret belongs."""

    template: str

    @property
    def scheme(self) -> str:
        """What it goes through, as apprise calls it: tgram, mailtos; of `${NAME}` the name."""
        found = _ADDRESS.match(self.template)
        return found[1].lower() if found else self.template.strip("${}")

    @property
    def key(self) -> str:
        """Tells it from others in the journal, without saying what it is."""
        return hashlib.sha256(self.template.encode()).hexdigest()[:12]

    @property
    def variables(self) -> list[str]:
        """The variables that it names."""
        return list(dict.fromkeys(_REFERENCE.findall(self.template)))

    @property
    def unset(self) -> list[str]:
        """Those of them that have no value here."""
        return [name for name in self.variables if not (environment_value(name) or "").strip()]

    def resolve(self, mask: Mask) -> str:
        """The address with its secrets, which `mask` hides from now on.

        A value is encoded for its place; one that is the whole address stays as it is. Raises
        WrongUse where a variable is not set.
        """
        unset = self.unset
        if unset:
            raise WrongUse(
                f"{self.scheme}: the variable {unset[0]} is not set.",
                f"Set it where voronka runs: export {unset[0]}='…'",
            )
        is_whole = _REFERENCE.fullmatch(self.template) is not None

        def value(found: re.Match[str]) -> str:
            text = mask.hide((environment_value(found[1]) or "").strip())
            return text if is_whole else quote(text, safe=":")

        return mask.hide(_REFERENCE.sub(value, self.template))


def problem_of(template: str) -> str:
    """What is wrong with an address as it is written; empty where nothing is.

    The text of the address is not in it: it may hold a secret.
    """
    if _REFERENCE.fullmatch(template):
        return ""
    found = _ADDRESS.fullmatch(template.strip())
    if found is None:
        return "an address begins with what it goes through: tgram://…, mailtos://…"
    rest = _REFERENCE.sub("", found[2])
    if _is_local(template) and not _has_password(template):
        return ""
    is_secret = _has_password(template) or _PRIVATE.search(rest) or _BOT.search(rest)
    if is_secret or _TOKEN.search(rest) or not _REFERENCE.search(template):
        return "an address holds a secret: write ${NAME} in its place, and set the variable NAME"
    return ""


def _has_password(template: str) -> bool:
    """Whether a password stands in it as it is."""
    authority = _ADDRESS.sub(r"\2", template).partition("/")[0].partition("?")[0]
    user = authority.rpartition("@")[0]
    return bool(_REFERENCE.sub("", user.partition(":")[2]))


def _is_local(template: str) -> bool:
    """Whether it leads to this machine, where a stand-in or a relay may want no password."""
    try:
        return urlsplit(template).hostname in _LOOPBACK
    except ValueError:
        return False
