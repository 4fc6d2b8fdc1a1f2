"""The benchmark's JSON files as tables: on the screen, in README and in docs/benchmark/README.md.

`python -m tests.benchmark.report` writes the documents, `--check` says which is stale.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.benchmark.processes import ROOT

RESULTS = ROOT / "docs" / "benchmark"
README = ROOT / "README.md"
PAGE = RESULTS / "README.md"
BEGIN = "<!-- performance: made by `make performance` -->"
END = "<!-- end of performance -->"
SCALES = ("s", "m", "l")

Result = dict[str, Any]
PACED = "16 readers, a question a second each"
SINGLE = "1 reader"


@dataclass(frozen=True)
class Row:
    """A line of the table: a figure of each scale, and how it is written.

    `grows` says whether it may be held against the rows: a duration or a size. README shows the
    lines that are `main`, docs/benchmark/README.md all.
    """

    label: str
    values: tuple[float | None, ...]
    unit: str
    grows: bool = False
    main: bool = False


@dataclass(frozen=True)
class Target:
    """What the benchmark must show, and what it showed."""

    label: str
    limit: float
    unit: str
    value: float | None

    @property
    def is_met(self) -> bool:
        """Whether the figure is there and within its limit."""
        return self.value is not None and self.value <= self.limit


def load(folder: Path = RESULTS) -> list[Result]:
    """The results that are there, from the smallest scale."""
    files = [folder / f"{scale}.json" for scale in SCALES]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]


def pick(result: Result, *path: str) -> Any:
    """A figure by its path; None where it was not measured."""
    value: Any = result
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def quotient(numerator: float | None, denominator: float | None) -> float | None:
    """A quotient; None where it has no sense."""
    return numerator / denominator if numerator is not None and denominator else None


def rows(results: Sequence[Result]) -> list[Row]:
    """All lines of the table."""
    return [*_refresh_rows(results), *_limit_rows(results), *_fixed_rows(results)]


def _row(
    results: Sequence[Result],
    label: str,
    unit: str,
    path: Sequence[str],
    grows: bool = True,
    main: bool = False,
) -> Row:
    return Row(label, tuple(pick(each, *path) for each in results), unit, grows, main)


def _ratio(
    results: Sequence[Result], label: str, unit: str, top: Sequence[str], bottom: Sequence[str]
) -> Row:
    values = tuple(quotient(pick(each, *top), pick(each, *bottom)) for each in results)
    return Row(label, values, unit, main=True)


def _refresh_rows(results: Sequence[Result]) -> Iterator[Row]:
    """The zone, the refresh from scratch and a day's."""
    row, full, day = partial(_row, results), ("full", "seconds"), ("day", "day", "seconds")
    yield row("calls", "count", ["calls"], grows=False, main=True)
    yield row("raw rows", "count", ["zone", "rows"], grows=False, main=True)
    yield row("**refresh from scratch**", "s", full, main=True)
    for step in _names(results, "full", "steps"):
        yield row(f"— {step}", "s", ["full", "steps", step], main=True)
    yield row("processor time", "s", ["full", "cpu_seconds"])
    yield row("rows a second", "count", ["full", "rows_per_second"], grows=False, main=True)
    yield row("peak memory", "bytes", ["full", "peak_bytes"], main=True)
    for part in ("raw", "build", "published", "parquet"):
        yield row(f"on disk: {part}", "bytes", ["full", "sizes", part], main=part != "parquet")
    for layer in _names(results, "full", "layers"):
        yield row(f"dbt, {layer}, added up", "s", ["full", "layers", layer])
    yield row("**a day on top of it**", "s", day, main=True)
    yield _ratio(results, "— of the refresh from scratch", "share", day, full)
    for step in _names(results, "day", "day", "steps"):
        yield row(f"— {step}", "s", ["day", "day", "steps", step])
    yield row("peak memory on that day", "bytes", ["day", "day", "peak_bytes"])
    yield row("nothing new", "s", ["day", "nothing", "seconds"], main=True)


def _limit_rows(results: Sequence[Result]) -> Iterator[Row]:
    """The same by hand, and the product's models for it by three measures."""
    row, by_hand = partial(_row, results), ("limit", "by_hand", "seconds")
    yield row("**`kpi_daily` by hand**", "s", by_hand, main=True)
    yield row("its peak memory", "bytes", ["limit", "by_hand", "peak_bytes"])
    yield row("a scan of the same columns", "s", ["limit", "scan", "seconds"], main=True)
    for label, path in (
        ("its models alone, by dbt", ["limit", "alone_seconds"]),
        ("their share of the refresh", ["full", "kpi_daily", "share_seconds"]),
        ("there from the first to the last", ["full", "kpi_daily", "span_seconds"]),
    ):
        is_main = path[0] == "limit"
        yield row(label, "s", path, main=is_main)
        ratio = _ratio(results, "— of what it takes by hand", "times", path, by_hand)
        yield replace(ratio, main=is_main)


def _fixed_rows(results: Sequence[Result]) -> Iterator[Row]:
    """What should not grow with the rows: answers, and the job without any."""
    row = partial(_row, results, grows=False)
    for kind in ("marts", "facts"):
        for case in _names(results, "reads", "idle"):
            for percent in ("p50", "p95"):
                is_main = kind == "marts" and percent == "p95" and case in (SINGLE, PACED)
                path = [case, kind, percent]
                label = f"{kind}, {percent}, {case}"
                yield row(label, "ms", ["reads", "idle", *path], main=is_main)
                label = "— while a refresh runs"
                yield row(label, "ms", ["reads", "refreshing", *path], main=is_main)
    for case in _names(results, "serve", "idle"):
        for percent in ("p50", "p95"):
            path = [case, "all", percent]
            is_main = percent == "p95" and case in (SINGLE, PACED)
            label = f"over HTTP, {percent}, {case}"
            yield row(label, "ms", ["serve", "idle", *path], main=is_main)
            label = "— while a refresh runs"
            yield row(label, "ms", ["serve", "refreshing", *path], main=is_main)
    yield row("**the job on an empty zone**", "s", ["overhead", "seconds"], main=True)
    yield row("the first time", "s", ["overhead", "first_seconds"])
    yield row("again, with nothing new", "s", ["overhead", "nothing_seconds"])
    for part, label in (("imports", "alone: "), ("steps", ""), ("dbt", "dbt: ")):
        for name in _names(results, "overhead", part):
            yield row(f"— {label}{name}", "s", ["overhead", part, name])


def _names(results: Sequence[Result], *path: str) -> list[str]:
    """Names of the figures in a mapping of any result, in order."""
    return list(dict.fromkeys(name for each in results for name in pick(each, *path) or {}))


def targets(results: Sequence[Result]) -> list[Target]:
    """What the greatest scale that was measured shows of what it must."""
    if not results:
        return []
    last = results[-1]
    idle = pick(last, "reads", "idle", PACED, "marts", "p95")
    single = pick(last, "reads", "idle", SINGLE, "marts", "p95")
    busy = pick(last, "reads", "refreshing", PACED, "marts", "p95")
    served = pick(last, "serve", "idle", PACED, "all", "p95")
    served_busy = pick(last, "serve", "refreshing", PACED, "all", "p95")
    peak = pick(last, "full", "peak_bytes")
    day = quotient(pick(last, "day", "day", "seconds"), pick(last, "full", "seconds"))
    alone = quotient(
        pick(last, "limit", "alone_seconds"), pick(last, "limit", "by_hand", "seconds")
    )
    return [
        Target("full refresh's SQL for kpi_daily, of the limit by hand", 2, "times", alone),
        Target("memory of the full refresh", 4 * 2**30, "bytes", peak),
        Target("a day's refresh, of the full one", 0.1, "share", day),
        Target("the job on an empty zone", 12, "s", pick(last, "overhead", "seconds")),
        Target("marts' p95, 1 reader", 50, "ms", single),
        Target("marts' p95, 16 readers", 50, "ms", idle),
        Target("the same while a refresh runs, of idle", 1.5, "times", quotient(busy, idle)),
        Target("the server's p95, 16 readers", 30, "ms", served),
        Target("its p95 while a refresh runs", 45, "ms", served_busy),
    ]


def growth(row: Row, results: Sequence[Result]) -> list[float | None]:
    """How many times the figure grows from each scale to the next."""
    pairs = pairwise(row.values)
    return [quotient(after, before) if row.grows else None for before, after in pairs]


def allowed(results: Sequence[Result]) -> list[float]:
    """How many times n log n grows from each scale to the next."""
    sizes = [float(pick(each, "zone", "rows")) for each in results]
    return [
        after * math.log(after) / (before * math.log(before)) for before, after in pairwise(sizes)
    ]


def too_fast(results: Sequence[Result]) -> list[str]:
    """Figures that grow faster than n log n."""
    limits = allowed(results)
    return [
        row.label.strip("*— ")
        for row in rows(results)
        if any(
            factor is not None and factor > most
            for factor, most in zip(growth(row, results), limits, strict=True)
        )
    ]


def written(value: float | None, unit: str) -> str:
    """A figure as people read it."""
    if value is None:
        return "–"
    if unit == "count":
        return f"{value:,.0f}"
    if unit == "bytes":
        return f"{value / 2**30:.2f} GB" if value >= 2**30 else f"{value / 2**20:,.0f} MB"
    if unit == "share":
        return f"{value:.1%}"
    if unit == "times":
        return f"{value:.2f}×"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def table(results: Sequence[Result], main: bool = False) -> list[str]:
    """The Markdown table, of all lines or of the main ones."""
    scales = [each["scale"] for each in results]
    steps = [f"{before} → {after}" for before, after in pairwise(scales)]
    head = ["", *scales, *steps]
    lines = [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
    limits = [f"n log n: {factor:.1f}×" for factor in allowed(results)]
    for row in rows(results):
        if main and not row.main:
            continue
        if all(value is None for value in row.values):
            continue
        factors = ["" if each is None else f"{each:.1f}×" for each in growth(row, results)]
        if row.label == "raw rows":
            factors = limits
        lines.append(_line([row.label, *(written(v, row.unit) for v in row.values), *factors]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def target_table(results: Sequence[Result]) -> list[str]:
    """What it must show, met or not."""
    if not results:
        return []
    lines = [_line(["at scale " + results[-1]["scale"], "must be", "is", ""])]
    lines.append(_line(["---", "---:", "---:", "---"]))
    for target in targets(results):
        verdict = "" if target.value is None else ("met" if target.is_met else "**missed**")
        lines.append(
            _line(
                [
                    target.label,
                    f"≤ {written(target.limit, target.unit)}",
                    written(target.value, target.unit),
                    verdict,
                ]
            )
        )
    return lines


def _measured(results: Sequence[Result]) -> str:
    """On what, when and how it was measured."""
    last = results[-1]
    found = last["machine"]
    days = sorted({part["on"] for each in results for part in each["measured"].values()})
    return (
        f"Measured on {found['cores']} cores with {found['memory_bytes'] / 2**30:.0f} GB "
        f"({found['system']}, Python {found['python']}, DuckDB {found['duckdb']}), "
        f"{' to '.join(dict.fromkeys([days[0], days[-1]]))}; medians of "
        + ", ".join(f"{_repeats(each)} ({each['scale']})" for each in results)
        + " runs."
    )


def _repeats(result: Result) -> str:
    """How often its parts were run: one number where it is the same."""
    found = sorted({part["repeats"] for part in result["measured"].values()})
    return "–".join(str(number) for number in dict.fromkeys([found[0], found[-1]]))


def _growth_sentence(results: Sequence[Result]) -> str:
    if len(results) < 2:
        return ""
    found = too_fast(results)
    if not found:
        return "Nothing grows faster than n log n."
    return f"Faster than n log n grow: {'; '.join(dict.fromkeys(found))}."


def readme_section(results: Sequence[Result]) -> str:
    """README's performance section between its markers."""
    if not results:
        return "Nothing was measured yet: `make benchmark SCALE=s`."
    lines = [
        "`make benchmark SCALE=s|m|l` writes two years of a sales company with 0.2, 2 or 10",
        "million calls and measures, side by side: the refresh from scratch, a day on top of it,",
        "the same `kpi_daily` by hand for this engine, the job without a row, BI's questions.",
        "[All figures](docs/benchmark/README.md).",
        "",
        _measured(results),
        "",
        *table(results, main=True),
        "",
        *target_table(results),
    ]
    sentence = _growth_sentence(results)
    if sentence:
        lines += ["", sentence]
    return "\n".join(lines)


def page(results: Sequence[Result]) -> str:
    """docs/benchmark/README.md: every figure, the questions one by one, the slowest models."""
    lines = ["# Benchmark", "", "Made by `make performance` from the JSON files beside it."]
    if not results:
        return "\n".join([*lines, "", "Nothing was measured yet: `make benchmark SCALE=s`."]) + "\n"
    lines += ["", _measured(results), ""]
    if len(results) > 1:
        lines += [_growth_sentence(results), ""]
    lines += [
        "`kpi_daily` by hand is [this script](../../tests/benchmark/by_hand), with the threads of",
        "the refresh and 4 GB; every run checks that its kpi_daily has the same rows as the",
        "product's. It is held against the models that kpi_daily is built from: built alone by",
        "dbt, from the first one's start to the last one's end; within the refresh, where others",
        "run between them, by their share of each moment and from their first to their last.",
        "",
        "Memory is that of all processes together, shared pages counted for each. Layers are",
        "added up, two models at a time, so they exceed what passed. Steps of a small build (s)",
        "are done side by side: expectations and publication show only what is left of them when",
        "the metrics are done, so from s to m they seem to grow faster than they do. A reader is a",
        "process with a connection that stays open and follows the file.",
        "",
        "## What it must show",
        "",
        *target_table(results),
        "",
        "## Figures",
        "",
        *table(results),
    ]
    for result in results:
        lines += _questions(result)
    for result in results:
        lines += _profiles(result)
    return "\n".join(lines) + "\n"


def _questions(result: Result) -> list[str]:
    idle = pick(result, "reads", "idle")
    if not idle:
        return []
    cases = [name for name in (SINGLE, PACED) if name in idle]
    head = ["p50 / p95 in ms"]
    head += [f"{case}{when}" for case in cases for when in ("", ", refreshing")]
    lines = ["", f"## Questions at scale {result['scale']}", ""]
    lines += [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
    for name in idle[cases[0]]["queries"]:
        cells = [name]
        for case in cases:
            for when in ("idle", "refreshing"):
                found = pick(result, "reads", when, case, "queries", name)
                cells.append(f"{found['p50']:.1f} / {found['p95']:.1f}" if found else "–")
        lines.append(_line(cells))
    return lines


def _profiles(result: Result) -> list[str]:
    found = pick(result, "full", "profiles") or []
    if not found:
        return []
    lines = ["", f"## The slowest models at scale {result['scale']}"]
    for each in found:
        seconds = pick(result, "full", "models", each["model"])
        lines += ["", f"`{each['model']}`, {seconds:.1f} s in the refresh", ""]
        if "error" in each:
            lines.append(f"Not profiled: {each['error']}")
            continue
        lines += [_line(["operator", "share", "rows", ""]), _line(["---", "---:", "---:", "---"])]
        for operator in each["operators"]:
            detail = operator["detail"].replace("|", "\\|")
            lines.append(
                _line(
                    [
                        operator["name"].strip().lower(),
                        f"{operator['share']:.0%}",
                        f"{operator['rows']:,}",
                        f"`{detail}`" if detail else "",
                    ]
                )
            )
    return lines


def show(results: Sequence[Result]) -> Any:
    """The table for a screen."""
    from rich.table import Table

    found = Table(title="Benchmark", box=None, header_style="bold")
    found.add_column("")
    for each in results:
        found.add_column(str(each["scale"]), justify="right")
    for row in rows(results):
        if any(value is not None for value in row.values):
            label = row.label.replace("**", "")
            found.add_row(label, *(written(value, row.unit) for value in row.values))
    for target in targets(results):
        verdict = "" if target.value is None else ("  met" if target.is_met else "  missed")
        limit = written(target.limit, target.unit)
        found.add_row(f"{target.label} ≤ {limit}", written(target.value, target.unit) + verdict)
    return found


def documents(folder: Path = RESULTS, readme: Path = README) -> dict[Path, str]:
    """The documents as the JSON files have them."""
    results = load(folder)
    text = readme.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise SystemExit(f"{readme.name} has lost the lines {BEGIN} and {END}: put them back.")
    section = f"{before}{BEGIN}\n{readme_section(results)}\n{END}{after}"
    return {readme: section, folder / PAGE.name: page(results)}


def main() -> None:
    """Write the documents, or say which is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if one is stale")
    check = parser.parse_args().check
    stale = {
        path: text
        for path, text in documents().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    if check and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        sys.exit(f"{names} is not what the benchmark found: run `make performance`.")
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
