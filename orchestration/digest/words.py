"""Words, numbers and days of messages, in Russian and English."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from orchestration.metrics.catalogue import RUSSIAN, Metric

_TEXTS = Path(__file__).with_name("texts.json")
_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "GBP": "£", "KZT": "₸", "UAH": "₴"}
# A space that keeps a number and its unit on one line.
_HARD = "\u00a0"
_MONTHS = {
    "ru": "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "of": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "en": "January February March April May June July August September October November December",
}
_WEEKDAYS = {
    "ru": "понедельник вторник среда четверг пятница суббота воскресенье",
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
_UNITS = {
    "ru": {"seconds": "с", "minutes": "мин", "days": "дн."},
    "en": {"seconds": "s", "minutes": "min", "days": "days"},
}
_MILLION = {"ru": "млн", "en": "M"}


class Words:
    """One language; `currency` is the code of the base currency."""

    def __init__(self, language: str, currency: str) -> None:
        self.language = language
        self._is_russian = language == RUSSIAN
        self._currency = _SIGNS.get(currency, currency)
        self._texts = _all_texts()[language]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with values in its places."""
        return self._texts[key].format(**values)

    def has(self, key: str) -> bool:
        """Whether there is a text of this key."""
        return key in self._texts

    def label(self, metric: Metric) -> str:
        """What a metric is called."""
        return metric.labels[self.language] or metric.name

    def value(self, value: float | Decimal, unit: str) -> str:
        """A figure with its unit."""
        if unit == "ratio":
            return self.percent(float(value))
        if unit == "currency":
            return self.money(value)
        if unit == "count":
            is_whole = float(value).is_integer()
            return self.number(value, 0 if is_whole else 1)
        suffix = _UNITS[self.language].get(unit, "")
        digits = 0 if unit == "seconds" else 1
        return self.number(value, digits) + (f"{_HARD}{suffix}" if suffix else "")

    def money(self, value: float | Decimal) -> str:
        """An amount in base currency; millions with one digit after the point."""
        amount = float(value)
        if abs(amount) >= 999_950:
            text = f"{self.number(amount / 1e6, 1)}{_HARD}{_MILLION[self.language]}"
        else:
            text = self.number(amount, 0)
        return f"{text}{_HARD}{self._currency}"

    def percent(self, value: float) -> str:
        """A share in whole percents."""
        return f"{self.number(value * 100, 0)}{_HARD if self._is_russian else ''}%"

    def number(self, value: float | Decimal, digits: int) -> str:
        """A number with thousands apart, as the language writes it."""
        text = f"{value:,.{digits}f}"
        if text.strip("-0.,") == "":
            text = text.removeprefix("-")
        if self._is_russian:
            text = text.replace(",", _HARD).replace(".", ",")
        return text

    def day(self, day: date) -> str:
        """`30 сентября`, `30 September`."""
        months = _MONTHS["of" if self._is_russian else "en"].split()
        return f"{day.day}{_HARD}{months[day.month - 1]}"

    def weekday(self, day: date) -> str:
        """`среда, 30 сентября`."""
        return f"{_WEEKDAYS[self.language].split()[day.weekday()]}, {self.day(day)}"

    def month(self, day: date) -> str:
        """The month of a day by its name: `сентябрь`, `September`."""
        return _MONTHS[self.language].split()[day.month - 1]

    def moment(self, local: datetime) -> str:
        """`30 сентября, 06:00`."""
        return f"{self.day(local.date())}, {local:%H:%M}"


@cache
def _all_texts() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(_TEXTS.read_text(encoding="utf-8"))
    return found
