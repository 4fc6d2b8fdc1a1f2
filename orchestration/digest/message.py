"""A message: a title, blocks of lines and links, as HTML and as plain text that say the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape

from orchestration.base.terminal import visible

# Telegram takes 4,096 characters with the title; what apprise puts between them needs room.
LONGEST = 4_000
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Span:
    """A piece of a line."""

    text: str
    is_bold: bool = False
    link: str = ""


Line = tuple[Span, ...]


@dataclass(frozen=True)
class Block:
    """Lines under a heading. Those at the end are the first to go where there is no room."""

    heading: str
    lines: tuple[Line, ...]
    # Lines that were left out of a list before it came here.
    more: int = 0


@dataclass(frozen=True)
class Message:
    """What one recipient gets. `more` says, with `{count}`, that lines were left out."""

    title: str
    blocks: tuple[Block, ...]
    links: tuple[Span, ...] = ()
    more: str = "+{count}"

    @property
    def text(self) -> str:
        """Plain text; addresses of links stand at the end, each on a line."""
        parts = []
        for block in self.blocks:
            lines = [block.heading] if block.heading else []
            lines += [_bullet(block) + "".join(it.text for it in line) for line in block.lines]
            parts.append("\n".join([*lines, *self._left_out(block)]))
        if self.links:
            parts.append("\n".join(f"{it.text}: {it.link}" for it in self.links))
        return "\n\n".join(parts)

    @property
    def html(self) -> str:
        """The same in the few tags that Telegram takes and every mail reader shows."""
        parts = []
        for block in self.blocks:
            lines = [f"<b>{escape(block.heading)}</b>"] if block.heading else []
            lines += [_bullet(block) + "".join(map(_html, line)) for line in block.lines]
            parts.append("<br>".join([*lines, *self._left_out(block)]))
        if self.links:
            parts.append(" · ".join(map(_html, self.links)))
        return "<br><br>".join(parts)

    def fitted(self, longest: int = LONGEST) -> Message:
        """The message, without the last lines of its longest blocks where it is too long."""
        found = self
        while len(found.title) + len(found.html) > longest:
            position = max(
                range(len(found.blocks)), key=lambda at: len(found.blocks[at].lines), default=-1
            )
            if position < 0 or len(found.blocks[position].lines) <= 1:
                break
            block = found.blocks[position]
            shorter = replace(block, lines=block.lines[:-1], more=block.more + 1)
            blocks = (*found.blocks[:position], shorter, *found.blocks[position + 1 :])
            found = replace(found, blocks=blocks)
        return found

    def _left_out(self, block: Block) -> list[str]:
        return [_bullet(block) + self.more.format(count=block.more)] if block.more else []


def line(*pieces: str | Span) -> Line:
    """A line of texts and spans; empty ones are left out."""
    spans = (Span(it) if isinstance(it, str) else it for it in pieces)
    return tuple(span for span in spans if span.text)


def name(text: object, longest: int = _LONGEST_NAME) -> str:
    """A text of the CRM: on one line, without what a reader cannot see, and not too long."""
    shown = visible(" ".join(str(text).split()))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _bullet(block: Block) -> str:
    return "• " if block.heading else ""


def _html(span: Span) -> str:
    text = escape(span.text, quote=False)
    if span.link:
        text = f'<a href="{escape(span.link)}">{text}</a>'
    return f"<b>{text}</b>" if span.is_bold else text
