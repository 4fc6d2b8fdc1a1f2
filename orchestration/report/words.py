"""A sheet in words: tables of texts in one language, for the screen and for paper alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache, partial
from pathlib import Path

from orchestration.metrics.catalogue import RUSSIAN, Catalogue
from orchestration.report.sheet import Rate, Sheet

_TEXTS = Path(__file__).with_name("texts.json")
NOTHING = "–"
_THIN = "\u2009"
_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "GBP": "£", "KZT": "₸", "UAH": "₴"}
_MONTHS = {
    "ru": (
        *("январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь"),
        *("октябрь", "ноябрь", "декабрь"),
    ),
    "en": (
        *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
        *("October", "November", "December"),
    ),
}
# How much text of a cell stands on a line, and how many lines of ordinary print on a page.
_LINE, _LINES_OF_A_PAGE = 45, 40
_SAFE_LINKS = ("https://", "http://")


@dataclass(frozen=True)
class Cell:
    """A text of a table; `link` is an address, `tone` good, bad or empty."""

    text: str
    link: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Block:
    """A part of the sheet. `figures` are the positions of columns that hold figures.

    `lines` are figures of each row over time, to be drawn beside it; None where there are none.
    `below` are texts of each row that are too long for a column.
    """

    name: str
    title: str
    about: str = ""
    headings: tuple[str, ...] = ()
    figures: frozenset[int] = frozenset()
    rows: tuple[tuple[Cell, ...], ...] = ()
    lines: tuple[tuple[float | None, ...], ...] = ()
    below: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """The whole sheet in one language."""

    language: str
    heading: str
    name: str
    subtitle: str
    notes: tuple[str, ...]
    blocks: tuple[Block, ...] = field(default=())

    @property
    def is_full(self) -> bool:
        """Whether it takes smaller print to be one page: long texts take several lines."""
        texts = [[note] for note in self.notes]
        for block in self.blocks:
            texts += [[note] for note in block.notes]
            texts += [[cell.text for cell in row] for row in block.rows]
            texts += [[text[_LINE:]] for text in block.below]
        return sum(1 + max(map(len, row)) // _LINE for row in texts) > _LINES_OF_A_PAGE


def texts(language: str) -> dict[str, str]:
    """The sheet's words in a language."""
    return _all_texts()[language]


@cache
def _all_texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(_TEXTS.read_text(encoding="utf-8"))
    return found


def write_page(sheet: Sheet, catalogue: Catalogue, language: str, currency: str) -> Page:
    """The sheet in words; `currency` is the code of the base currency."""
    return _Writer(sheet, catalogue, language, currency).page()


class _Writer:
    def __init__(self, sheet: Sheet, catalogue: Catalogue, language: str, currency: str) -> None:
        self._sheet = sheet
        self._catalogue = catalogue
        self._language = language
        self._currency = _SIGNS.get(currency, currency)
        self._texts = texts(language)

    def page(self) -> Page:
        sheet, person = self._sheet, self._sheet.person
        role = self._text(f"role_{person.role or 'none'}")
        month, day = self._month(sheet.month), self._day(sheet.as_of)
        subtitle = self._text("subtitle", month=month, day=day)
        notes = []
        if sheet.is_running:
            notes.append(self._text("running", day=day))
        lacking: dict[str, list[str]] = {}
        for name, tables in sheet.missing.items():
            lacking.setdefault(tables, []).append(self._label(name))
        notes += [
            self._text("missing", labels=", ".join(labels), tables=tables)
            for tables, labels in lacking.items()
        ]
        notes += [
            self._text("unpriced", label=self._label(name), rows=self._number(rows))
            for name, rows in sheet.unpriced.items()
        ]
        return Page(
            language=self._language,
            heading=self._text("heading"),
            name=person.name,
            subtitle=" · ".join(filter(None, (role, person.team, subtitle))),
            notes=tuple(notes),
            blocks=(
                self._results(),
                self._strengths(),
                self._gaps(),
                self._trend(),
                self._calls(),
                self._deals(),
            ),
        )

    def _results(self) -> Block:
        sheet = self._sheet
        results = sheet.results
        has_plan = any(it.target is not None for it in results)
        headings = ["figure", "fact"]
        if has_plan:
            headings += ["plan", *(["plan_to_date", "pace"] if sheet.is_running else ["done"])]
        rows = []
        for it in results:
            cells = [Cell(self._label(it.metric)), Cell(self._figure(it.actual, it.metric))]
            if has_plan:
                cells.append(Cell(self._figure(it.target, it.metric)))
                share = it.pace if sheet.is_running else it.attainment
                if it.actual is None:
                    share = None
                if sheet.is_running:
                    cells.append(Cell(self._figure(it.target_to_date, it.metric)))
                tone = "" if share is None else "good" if share >= 1 else "bad"
                cells.append(Cell(self._percent(share, 0), tone=tone))
            cells.append(Cell(self._figure(it.previous, it.metric)))
            rows.append(tuple(cells))
        notes = [] if has_plan else [self._text("no_plan")]
        if all(it.actual is None for it in results):
            notes.append(self._text("no_figures"))
        return self._block("results", [*headings, "month_before"], rows, notes)

    def _strengths(self) -> Block:
        sheet = self._sheet
        rows = [
            (
                Cell(self._label(it.metric)),
                Cell(self._percent(it.value)),
                Cell(self._percent(it.team_median)),
                Cell(self._percent(it.own_previous)),
                Cell(self._number(it.denominator)),
                self._how_sure(it),
            )
            for it in sheet.strengths
        ]
        notes = [] if rows else [self._nothing_to_compare() or self._text("no_strengths")]
        headings = ["rate", "own", "team", "month_before", "cases", "how_sure"]
        return self._block("strengths", headings, rows, notes, texts_at=(5,))

    def _gaps(self) -> Block:
        sheet = self._sheet
        rows = [
            (
                Cell(self._label(it.metric)),
                Cell(self._percent(it.value)),
                Cell(self._percent(it.team_median)),
                Cell(self._number(it.gap_in_deals, 1)),
                Cell(
                    self._text("no_price")
                    if it.gap_in_money is None
                    else self._money(it.gap_in_money)
                ),
                self._how_sure(it),
            )
            for it in sheet.gaps
        ]
        notes = [] if rows else [self._nothing_to_compare() or self._text("no_gaps")]
        if sheet.weaknesses:
            named = [
                self._text(
                    "versus",
                    label=self._label(it.metric),
                    own=self._percent(it.value),
                    team=self._percent(it.team_median),
                )
                for it in sheet.weaknesses
            ]
            notes.append(self._text("also_weak", rates="; ".join(named)))
        if sheet.load is not None:
            load = sheet.load
            notes.append(
                self._text(
                    load.kind or "neither",
                    deals=self._number(load.deals),
                    team_deals=self._number(load.team_deals, 1),
                    actions=self._number(load.actions, 1),
                    team_actions=self._number(load.team_actions, 1),
                )
            )
        headings = ["rate", "own", "team", "in_deals", "in_money", "how_sure"]
        about = self._text("gaps_about") if rows else ""
        return self._block("gaps", headings, rows, notes, about, texts_at=(5,))

    def _trend(self) -> Block:
        sheet = self._sheet
        months = [self._short_month(month) for month in sheet.months]
        rows = []
        for name, values in sheet.trend.items():
            is_money = self._catalogue.metrics[name].unit == "currency"
            # The sign stands once, so that six sums fit beside each other.
            label = f"{self._label(name)}, {self._currency}" if is_money else self._label(name)
            write = self._number if is_money else partial(self._figure, metric=name)
            rows.append((Cell(label), *(Cell(write(it)) for it in values)))
        headings = (self._text("figure"), *months)
        return Block(
            "trend",
            self._text("trend"),
            headings=headings,
            figures=frozenset(range(1, len(headings))),
            rows=tuple(rows),
            lines=tuple(tuple(values) for values in sheet.trend.values()),
        )

    def _calls(self) -> Block:
        sheet = self._sheet
        rows = []
        for it in sheet.calls:
            lacks = ", ".join(self._text(f"lacks_{name}") for name in it.lacks)
            recording = Cell(self._text("no_recording"))
            if it.url:
                # What the telephony gives is a link only where it is an address of the web.
                is_link = it.url.startswith(_SAFE_LINKS)
                recording = Cell(it.url, link=it.url if is_link else "")
            cells = (self._day(it.day), self._number(it.score, 1))
            what = Cell(lacks or self._text("nothing_lacks"))
            rows.append((*map(Cell, cells), what, recording))
        notes = [] if sheet.evaluated_calls else [self._text("no_calls")]
        about = self._text("calls_about", count=self._number(sheet.evaluated_calls))
        headings = ["date", "score", "lacks", "recording"]
        return self._block("calls", headings, rows, notes, about if rows else "", texts_at=(2, 3))

    def _deals(self) -> Block:
        sheet = self._sheet
        rows, below = [], []
        for it in sheet.deals:
            cells = [it.deal_id, it.stage or NOTHING, self._money(it.amount)]
            cells.append(self._number(it.days_in_stage))
            if sheet.has_outlook:
                cells.append(self._number(it.days_since_contact))
                cells.append(self._percent(it.probability, 0))
                said = (it.step.get(self._language), it.reason.get(self._language))
                below.append(" · ".join(filter(None, said)) or self._text("no_step"))
            rows.append(tuple(map(Cell, cells)))
        headings = ["deal", "stage", "amount", "days_in_stage"]
        about, notes = "", []
        if sheet.has_outlook:
            headings += ["days_silent", "probability"]
        if rows:
            key = "deals_about_steps" if sheet.has_outlook else "deals_about"
            about = self._text(key, count=self._number(sheet.open_deals))
        if not rows:
            notes.append(self._text("no_deals"))
        elif not sheet.has_outlook:
            notes.append(self._text("no_outlook"))
        elif all(it.probability is None for it in sheet.deals):
            notes.append(self._text("no_probability"))
        block = self._block("deals", headings, rows, notes, about, texts_at=(1,))
        return replace(block, below=tuple(below))

    def _block(
        self,
        name: str,
        headings: Sequence[str],
        rows: Iterable[tuple[Cell, ...]],
        notes: Iterable[str],
        about: str = "",
        texts_at: Sequence[int] = (),
    ) -> Block:
        """A part whose columns are figures but for the first and those in `texts_at`."""
        figures = frozenset(range(1, len(headings))) - set(texts_at)
        shown = tuple(map(self._text, headings))
        return Block(name, self._text(name), about, shown, figures, tuple(rows), notes=tuple(notes))

    def _how_sure(self, rate: Rate) -> Cell:
        words = {
            "strength": ("surely_above", "good"),
            "weakness": ("surely_below", "bad"),
            None: ("by_chance", ""),
        }
        key, tone = words[rate.verdict]
        text = self._text(key)
        if rate.is_small_sample:
            text += f", {self._text('few')}: {self._number(rate.denominator)}"
        return Cell(text, tone=tone)

    def _nothing_to_compare(self) -> str:
        if not self._sheet.rates:
            return self._text("no_rates")
        return "" if self._sheet.has_team else self._text("no_team")

    # Words and numbers

    def _text(self, key: str, **values: str) -> str:
        return self._texts[key].format(**values)

    def _label(self, metric: str) -> str:
        return self._catalogue.metrics[metric].labels[self._language]

    def _figure(self, value: float | None, metric: str) -> str:
        unit = self._catalogue.metrics[metric].unit
        if unit == "ratio":
            return self._percent(value)
        if unit == "currency":
            return self._money(value)
        return self._number(value, 0 if unit in ("count", "seconds") else 1)

    def _number(self, value: float | None, digits: int = 0) -> str:
        if value is None:
            return NOTHING
        shown = f"{value:,.{digits}f}".replace("-", "−").replace(",", _THIN)
        if digits and shown.endswith(f".{'0' * digits}"):
            shown = shown[: -digits - 1]
        return shown.replace(".", ",") if self._language == RUSSIAN else shown

    def _percent(self, value: float | None, digits: int = 1) -> str:
        if value is None:
            return NOTHING
        gap = _THIN if self._language == RUSSIAN else ""
        return f"{self._number(100 * value, digits)}{gap}%"

    def _money(self, value: float | None) -> str:
        return NOTHING if value is None else f"{self._number(value)}{_THIN}{self._currency}"

    def _month(self, month: date) -> str:
        return f"{_MONTHS[self._language][month.month - 1]} {month.year}"

    def _short_month(self, month: date) -> str:
        return f"{_MONTHS[self._language][month.month - 1][:3]} {month:%y}"

    def _day(self, day: date) -> str:
        return f"{day:%d.%m.%Y}" if self._language == RUSSIAN else f"{day:%Y-%m-%d}"
