"""A sheet on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestration.base.terminal import visible
from orchestration.report.words import Block, Cell, Page

_BARS = "▁▂▃▄▅▆▇█"
_TONES = {"good": "green", "bad": "red", "": ""}
# Nobody watches a pipe, so its lines may be longer than a screen's.
_PIPE_WIDTH = 160
# A narrow screen has room for the latest months alone; the line beside them has all.
_NARROW, _MONTHS_OF_NARROW = 100, 4


def show_page(console: Console, page: Page) -> None:
    """Print the sheet, part after part."""
    before = console.width
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(Text(visible(page.name), style="bold"), soft_wrap=True)
    console.print(Text(visible(page.subtitle), style="dim"), soft_wrap=True)
    for note in page.notes:
        console.print(Text(visible(note), style="yellow"))
    for block in page.blocks:
        _show_block(console, block)
    console.width = before


def _show_block(console: Console, block: Block) -> None:
    console.print()
    console.print(Text(block.title, style="bold"))
    if block.about:
        console.print(Text(block.about, style="dim"))
    if block.below:
        _show_with_texts(console, block)
    elif block.rows:
        left_out = _left_out(block, console.width)
        table = _table(block, left_out)
        for at, row in enumerate(block.rows):
            line = [Text(sparkline(block.lines[at]), style="cyan")] if block.lines else []
            cells = [_cell(cell) for column, cell in enumerate(row) if column not in left_out]
            table.add_row(*cells, *line)
        console.print(table)
    for note in block.notes:
        console.print(Text(visible(note)))


def _show_with_texts(console: Console, block: Block) -> None:
    """Rows with a long text below each: one table, shown line by line."""
    table = _table(block, frozenset())
    for row in block.rows:
        table.add_row(*map(_cell_of_one_line, row))
    lines = console.render_lines(table, pad=False)
    for line, text in zip(lines, ["", *block.below], strict=True):
        console.print(Text.assemble(*((part.text, part.style or "") for part in line)))
        if text:
            console.print(Padding(Text(f"→ {visible(text)}"), (0, 0, 0, 4)))


def _table(block: Block, left_out: frozenset[int]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for at, heading in enumerate(block.headings):
        is_figure = at in block.figures
        if at not in left_out:
            table.add_column(
                Text(heading, no_wrap=bool(block.below)),
                justify="right" if is_figure else "left",
                overflow="fold",
                no_wrap=is_figure,
            )
    if block.lines:
        table.add_column("", no_wrap=True)
    return table


def _left_out(block: Block, width: int) -> frozenset[int]:
    if not block.lines or width >= _NARROW:
        return frozenset()
    return frozenset(range(1, len(block.headings) - _MONTHS_OF_NARROW))


def _cell(cell: Cell) -> Text:
    return Text(visible(cell.text), style=_TONES[cell.tone])


def _cell_of_one_line(cell: Cell) -> Text:
    text = _cell(cell)
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


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
