"""A morning in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta, tzinfo

from orchestration.digest.facts import (
    Cause,
    Deal,
    Figure,
    Morning,
    Number,
    Plan,
    Situation,
    Weakness,
)
from orchestration.digest.freshness import Rhythm
from orchestration.digest.links import Page
from orchestration.digest.message import Block, Line, Message, Span, line, name
from orchestration.digest.recipients import Role
from orchestration.digest.words import Words
from orchestration.metrics.catalogue import Catalogue, Metric

# What lies behind the plan by more than this is marked, as on the page.
_BEHIND = 0.9
_MOST_SITUATIONS = 5


class Writer:
    """Writes a head's or a manager's message."""

    def __init__(
        self, morning: Morning, catalogue: Catalogue, words: Words, page: Page, zone: tzinfo
    ) -> None:
        """`zone` is the reader's, for instants."""
        self._morning = morning
        self._metrics = catalogue.metrics
        self._words = words
        self._page = page
        self._zone = zone

    def message(self, role: Role, late: Mapping[str, Rhythm]) -> Message:
        """The message; `late` are the raw tables that should have been loaded."""
        morning, words = self._morning, self._words
        today = morning.day + timedelta(days=1)
        blocks = [
            Block(words("yesterday", day=words.day(morning.day)), self._yesterday()),
            self._month(today),
            self._attention(),
            Block(words(f"talk_{role}"), self._talks()),
        ]
        if late:
            days: dict[date, list[str]] = {}
            for table, it in late.items():
                days.setdefault(it.last_on, []).append(table)
            listed = "; ".join(
                words("late_table", table=", ".join(tables), day=words.day(day))
                for day, tables in sorted(days.items())
            )
            blocks.append(Block("", (line(words("late", tables=listed)),)))
        return Message(
            words("title", day=words.weekday(today)),
            tuple(block for block in blocks if block.lines),
            self._links(role),
            words("more", count="{count}"),
        ).fitted()

    def _yesterday(self) -> tuple[Line, ...]:
        morning, words = self._morning, self._words
        if morning.as_of is None:
            return (line(words("no_day")),)
        is_nothing_known = all(it.value is None and not it.missing for it in morning.figures)
        if morning.day > morning.as_of and is_nothing_known:
            return (line(words("nothing_known", day=words.day(morning.as_of))),)
        return tuple(line(self._figure(it)) for it in morning.figures)

    def _figure(self, figure: Figure) -> str:
        words, label = self._words, self._words.label(figure.metric)
        if figure.missing:
            return words("unknown_rows", label=label, tables=figure.missing)
        loaded = figure.loaded_at
        at = words.moment(loaded.astimezone(self._zone)) if loaded else ""
        if figure.value is None:
            key = "unknown_load" if loaded else "unknown"
            return words(key, label=label, source=figure.source, at=at)
        value = self._value(figure.metric, figure.value)
        text = self._by_plan(figure, label, value)
        return text + (words("so_far", source=figure.source, at=at) if loaded else "")

    def _by_plan(self, figure: Figure, label: str, value: str) -> str:
        """A figure beside the day's plan; that of several is of those who have one."""
        words, plan = self._words, figure.plan
        if plan is None or plan.actual is None:
            return words("figure", label=label, value=value)
        target, actual = (self._value(plan.metric, it) for it in (plan.target, plan.actual))
        if self._morning.manager_id or actual == value:
            return words("of_plan", label=label, value=value, target=target)
        return words(
            "of_some", label=label, value=value, actual=actual, target=target, people=plan.people
        )

    def _month(self, today: date) -> Block:
        morning, words = self._morning, self._words
        if morning.month is None or morning.through is None:
            return Block("", ())
        key = "month_running" if morning.through >= today else "month"
        month = words.month(morning.month)
        heading = words(key, month=month.capitalize(), day=words.day(morning.through))
        lines = [line(self._plan(it, "plan")) for it in morning.plans]
        if morning.week_plans and morning.week:
            week = words("week", day=words.day(morning.week))
            lines += [line(self._plan(it, "plan_week", week)) for it in morning.week_plans]
        for figure in morning.no_plans:
            label = words.label(figure.metric)
            if figure.missing or figure.value is None:
                lines.append(line(self._figure(figure)))
            else:
                key = "figure" if morning.plans_missing else "no_plan"
                value = self._value(figure.metric, figure.value)
                lines.append(line(words(key, label=label, value=value)))
        if morning.plans_missing:
            lines.append(line(words("plans_unknown", tables=morning.plans_missing)))
        lines += self._forecast(month)
        return Block(heading, tuple(lines))

    def _plan(self, plan: Plan, key: str, week: str = "") -> str:
        words, metric = self._words, plan.metric
        label, target = words.label(metric), self._value(metric, plan.target)
        if plan.actual is None or plan.attainment is None or plan.pace is None:
            return words("plan_unknown", label=label, target=target)
        mark = ""
        if metric.good_direction == "up":
            mark = " ✓" if plan.pace >= 1 else " ▼" if plan.pace < _BEHIND else ""
        text = words(
            "plan_rate" if metric.unit == "ratio" else key,
            label=label,
            week=week,
            actual=self._value(metric, plan.actual),
            target=target,
            share=words.percent(plan.attainment),
            pace=words.percent(plan.pace),
            mark=mark,
        )
        if plan.people == 1:
            return text
        if plan.fact is None or float(plan.fact) == float(plan.actual):
            return text + words("of_people", people=plan.people)
        fact = self._value(metric, plan.fact)
        return text + words("of_people_and_all", people=plan.people, fact=fact)

    def _forecast(self, month: str) -> list[Line]:
        words, forecast = self._words, self._morning.forecast
        if forecast is None:
            return []
        if forecast.value is None:
            return [line(words("forecast_unknown", month=month))]
        interval = target = ""
        if forecast.low is not None and forecast.high is not None:
            low, high = words.money(forecast.low), words.money(forecast.high)
            interval = words("forecast_interval", low=low, high=high)
        if forecast.target is not None:
            target = words("forecast_target", target=words.money(forecast.target))
        value = words.money(forecast.value)
        return [
            line(words("forecast", month=month, forecast=value, interval=interval, target=target))
        ]

    def _attention(self) -> Block:
        found = self._morning.situations
        lines = tuple(self._situation(it) for it in found[:_MOST_SITUATIONS])
        more = max(0, len(found) - _MOST_SITUATIONS)
        return Block(self._words("attention"), lines or (self._nothing_fell(),), more)

    def _nothing_fell(self) -> Line:
        morning, words = self._morning, self._words
        if morning.diagnosis_missing:
            return line(words("attention_unknown", tables=morning.diagnosis_missing))
        if not morning.diagnosed:
            return line(words("attention_no_day"))
        periods = ", ".join(self._period(*it) for it in morning.diagnosed.items())
        key = "attention_none_own" if morning.manager_id else "attention_none"
        return line(words(key, periods=periods))

    def _situation(self, found: Situation) -> Line:
        words = self._words
        link = self._page.link("diagnosis", found.grain, found.period_start, found.manager_id)
        period = self._period(found.grain, found.period_start)
        text = f", {period}: {words(f'situation_{found.situation}')}. "
        text += " ".join(self._cause(it) for it in found.causes) or words("no_cause")
        return line(Span(name(found.manager), True, link), text)

    def _cause(self, cause: Cause) -> str:
        words, metric = self._words, self._metrics.get(cause.metric)
        key = f"metric_{cause.metric}"
        label = words.label(metric) if metric else words(key) if words.has(key) else cause.metric
        unit = metric.unit if metric else "ratio" if words.has(key) else "count"
        now = "–" if cause.now is None else words.value(cause.now, unit)
        advice = cause.advice[words.language]
        if cause.before is None:
            return words("cause_new", label=label, now=now, advice=advice)
        before = words.value(cause.before, unit)
        return words("cause", label=label, before=before, now=now, advice=advice)

    def _period(self, grain: str, start: date) -> str:
        words = self._words
        if grain == "month":
            return words.month(start)
        last = start + timedelta(days=6)
        first = str(start.day) if start.month == last.month else words.day(start)
        return words("week_of", first=first, last=words.day(last))

    def _talks(self) -> tuple[Line, ...]:
        morning, words = self._morning, self._words
        lines = [self._weakness(it) for it in morning.weaknesses]
        if morning.deals_missing and not lines:
            return (line(words("talk_unknown", tables=morning.deals_missing)),)
        lines += [self._deal(it) for it in morning.deals]
        return tuple(lines) or (line(words("talk_none")),)

    def _weakness(self, found: Weakness) -> Line:
        words, metric = self._words, self._metrics[found.metric]
        text = words(
            "weakness", label=words.label(metric), value=self._value(metric, found.value),
            median=self._value(metric, found.median), month=words.month(found.month),
        )  # fmt: skip
        if found.gap_in_money is not None and found.gap_in_money > 0:
            text += words("gap", money=words.money(found.gap_in_money))
        link = self._page.link("people", "month", found.month, found.manager_id)
        return line(Span(name(found.manager), True, link), f": {text}")

    def _deal(self, deal: Deal) -> Line:
        words, morning = self._words, self._morning
        facts = [] if morning.manager_id else [name(deal.manager)]
        if deal.amount is not None:
            facts.append(words.money(deal.amount))
        if deal.days_since_contact:
            facts.append(words("silent", days=deal.days_since_contact))
        text = words("deal", deal=name(deal.deal_id, 40))
        between = words("deal_facts", facts=", ".join(facts)) if facts else ": "
        return line(Span(text, True), between, deal.step[words.language])

    def _links(self, role: Role) -> tuple[Span, ...]:
        morning, words, page = self._morning, self._words, self._page
        if not page.url:
            return ()
        month, who = morning.month, morning.manager_id
        screens = ("overview", "diagnosis", "pipeline") + ("people",) * (role is Role.HEAD)
        return tuple(
            Span(words(f"link_{it}"), link=page.link(it, "month" if month else "", month, who))
            for it in screens
        )

    def _value(self, metric: Metric, value: Number) -> str:
        return self._words.value(value, metric.unit)
