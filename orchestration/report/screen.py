"""A sheet on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.base.terminal import visible
from orchestration.report.words import Block, Cell, Page

_BARS = "▁▂▃▄▅▆▇█"
_TONES = {"good": "green", "bad": "red", "": ""}


def show_page(console: Console, page: Page) -> None:
    """Print the sheet, part after part."""
    console.print(Text(visible(page.name), style="bold"), soft_wrap=True)
    console.print(Text(visible(page.subtitle), style="dim"), soft_wrap=True)
    for note in page.notes:
        console.print(Text(visible(note), style="yellow"))
    for block in page.blocks:
        _show_block(console, block)


def _show_block(console: Console, block: Block) -> None:
    console.print()
    console.print(Text(block.title, style="bold"))
    if block.about:
        console.print(Text(block.about, style="dim"))
    if block.rows:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for at, heading in enumerate(block.headings):
            is_figure = at in block.figures
            table.add_column(
                Text(heading), justify="right" if is_figure else "left", overflow="fold"
            )
        if block.lines:
            table.add_column("")
        for at, row in enumerate(block.rows):
            line = [Text(sparkline(block.lines[at]), style="cyan")] if block.lines else []
            table.add_row(*map(_cell, row), *line)
        console.print(table)
    for note in block.notes:
        console.print(Text(visible(note)))


def _cell(cell: Cell) -> Text:
    return Text(visible(cell.text), style=_TONES[cell.tone])


def sparkline(values: Sequence[float | None]) -> str:
    """Values over time as bars, the least the lowest; a gap where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    steps = len(_BARS) - 1
    return "".join(
        " "
        if value is None
        else _BARS[round((value - low) / (high - low) * steps) if high > low else steps // 2]
        for value in values
    )
