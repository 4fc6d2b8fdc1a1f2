"""What is printed: cleaned of what a terminal would obey, and written as far as it can show it.

Names come from a CRM, so they may hold escape sequences, which write the clipboard or clear the
screen, and marks that turn the reading direction. Everything the command prints goes through
`Screen`, which shows such characters instead of sending them.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape as escape_markup
from rich.segment import Segment

# Controls of both sets, direction marks, line separators, invisible signs, halves of characters.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# U+2400 and after are pictures of the first 32 controls.
_PICTURES = 0x2400
_DELETE, _PICTURE_OF_DELETE = 0x7F, "\u2421"
_READABLE = "voronka.readable"
_PLAIN = {"✓": "+", "✗": "x", "→": "->", "–": "-", "—": "-", "…": "...", "·": "-", "\u2009": " "}


def visible(text: str, keep: str = "") -> str:
    """The text with a visible sign for each character that a terminal would obey or hide.

    ESC is shown as ␛, others without a picture as `<U+202E>`. Characters of `keep` stay.
    """

    def shown(match: re.Match[str]) -> str:
        code = ord(match[0])
        if match[0] in keep:
            return match[0]
        if code < 0x20:
            return chr(_PICTURES + code)
        return _PICTURE_OF_DELETE if code == _DELETE else f"<U+{code:04X}>"

    return UNSAFE.sub(shown, text)


def escape(text: str) -> str:
    """A text from elsewhere as a part of rich's markup: visible, and no markup itself."""
    return escape_markup(visible(text))


class Screen(Console):
    """A console that sends no control character of what it prints, only its own.

    Where the reader has gone, as `head` does, or the disk of a log is full, the rest is not
    printed, and the command goes on: what it does matters more than what it says of it.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; where that cannot be written, remember why and print nothing more."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            self.quiet = True
            give_up(self.file, error)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render an object, with visible signs for the control characters of its texts."""
        for segment in super().render(renderable, options):
            if segment.control is None and UNSAFE.search(segment.text):
                yield Segment(visible(segment.text, keep="\n"), segment.style)
            else:
                yield segment

    def on_broken_pipe(self) -> None:
        """Print nothing more."""
        self.quiet = True
        _to_nowhere(self.file)


def screens() -> tuple[Screen, Screen]:
    """Where results go and where errors go; both keep the streams of now."""
    return (
        Screen(file=sys.stdout, highlight=False, emoji=False),
        Screen(file=sys.stderr, highlight=False, emoji=False),
    )


def prepare_streams() -> None:
    """Let the standard streams replace what their encoding lacks, and exist where they do not."""
    codecs.register_error(_READABLE, _replaced)
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_READABLE)


@contextmanager
def leaving_readers() -> Iterator[None]:
    """Write to standard output, for a reader that may go before the end."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere(sys.stdout)


# Why the output of this process could not be written, where it could not.
_unwritten: list[OSError] = []


def give_up(stream: IO[str], error: OSError) -> None:
    """Write nothing more to a stream, and remember why."""
    _unwritten.append(error)
    _to_nowhere(stream)


def finish_streams() -> OSError | None:
    """Write what waits in the standard streams; why something of the output is lost, else None.

    A reader that has gone, as `head` does, misses nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _to_nowhere(stream)
        except OSError as error:
            give_up(stream, error)
    return _unwritten[0] if _unwritten else None


def _to_nowhere(stream: IO[str]) -> None:
    """Let a stream whose reader has gone end in nothing, so that its buffer can be emptied."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that the stream's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in lacking), error.end
