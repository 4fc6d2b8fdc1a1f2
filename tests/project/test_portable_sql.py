"""One set of models for every engine: what only one of them reads stands in dispatched macros."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.conftest import ROOT

PROJECT = ROOT / "dbt_project"
# They are written for one engine as a whole.
OF_ONE_ENGINE = ("materializations", "refresh")
# No SQL: a regular expression.
NO_SQL = ("timestamp_grammar",)

MODEL, FIXTURE, MACRO = "model", "fixture", "macro"
EVERYWHERE = (MODEL, FIXTURE, MACRO)


class Rule(NamedTuple):
    """What SQL may not say, where, a small example of it, and what to write instead."""

    pattern: str
    bad: str
    instead: str
    places: tuple[str, ...] = EVERYWHERE


_LISTS = (
    r"list|list_(?!length)\w+|array_agg|array|explode|unnest|len|cardinality|size|sequence|flatten"
)
_TEXTS = r"string_agg|listagg|group_concat|regexp_\w+|split|string_split|format\w*|printf|chr"
_TIMES = (
    r"epoch\w*|strftime|strptime|to_date|to_timestamp|date_(?:add|sub|diff|part)|datediff|dayofweek"
    r"|isodow|weekday|make_\w+|to_\w+s|timezone|from_utc_timestamp|to_utc_timestamp|add_months"
)
_RULES = {
    "engine": Rule(
        r"\b(duckdb|spark)\b|target\.(type|name)|adapter\.dispatch",
        "{% if target.type == 'duckdb' %}",
        "a dispatched macro",
        (MODEL, FIXTURE),
    ),
    "asof join": Rule(r"\basof\b", "from a asof join b on a.x >= b.x", "a join by range"),
    "copied CTE": Rule(
        r"\bas\s+(not\s+)?materialized\b",
        "with a as not materialized (select 1)",
        "not_materialized() or materialized()",
    ),
    "arg_min": Rule(r"\barg_?(min|max)\s*\(", "arg_min(a, b)", "min_by() or max_by()"),
    "median": Rule(
        r"\b(median|quantile\w*|percentile|percentile_approx|mode)\s*\(",
        "median(a)",
        "median_of() or percentile_disc()",
    ),
    "rounded double": Rule(
        r"(?<!\w)round\s*\(",
        "round(a / b, 2)",
        "rounded() of a DOUBLE; a decimal is rounded by its cast",
        (MODEL,),
    ),
    "tuple": Rule(r"\b(row|struct|struct_pack)\s*\(", "min_by(a, row(b, c))", "tuple_of()"),
    "list function": Rule(rf"\b({_LISTS})\s*\(", "unnest(a)", "text_list(), unnested() …"),
    "text function": Rule(rf"\b({_TEXTS})\s*\(", "string_agg(a, ',')", "joined_text() …"),
    "time function": Rule(rf"\b({_TIMES})\s*\(", "epoch_us(a)", "a macro of macros/time"),
    "part of a date": Rule(
        r"\bextract\s*\(\s*(?!(year|month|day)\s+from)", "extract(isodow from a)", "iso_weekday()"
    ),
    "list or subscript": Rule(r"\[", "select [a, b][1]", "text_list(), given_value_of()"),
    "lambda": Rule(r"->|\blambda\b", "list_filter(a, x -> x > 1)", "a dispatched macro"),
    "cast by colons": Rule(r"::", "a::int", "cast(a as bigint)"),
    "division": Rule(
        r"/",
        "{{ ratio('a / b', 'c') }}",
        "ratio(): a quotient of decimals is not a DOUBLE",
        (MODEL,),
    ),
    "integer division": Rule(r"//", "a // 7", "floor() of a ratio()"),
    "interval": Rule(r"\binterval\s+(?!')", "a + interval 1 day", "add_days(), interval '1' hour"),
    "instant": Rule(r"\btimestamptz\b", "timestamptz '2026-03-01 00:00:00+00'", "utc_instant()"),
    "timestamp": Rule(
        r"\btimestamp(_ntz|_ltz)?\b",
        "cast(a as timestamp)",
        "type_instant() or type_wall_time(): engines mean different ones",
        (MODEL, MACRO),
    ),
    "type of one engine": Rule(
        r"\bas\s+(varchar|text|hugeint|u?tinyint|ubigint|int4|int8|float8|real|binary|blob)\s*[()\[]",
        "cast(a as varchar)",
        "string, bigint, decimal, double, date, boolean",
    ),
    "grouped by all": Rule(r"\bby\s+all\b", "group by all", "the columns' numbers"),
    "by name": Rule(r"\bby\s+name\b", "union all by name", "columns in one order"),
    "left-out column": Rule(r"\*\s*(exclude|replace)\b", "select * exclude (a)", "the columns"),
    "from first": Rule(r"(\A|\()\s*from\b", "(from a)", "select * from", (MODEL, FIXTURE)),
    "distinct on": Rule(r"\bdistinct\s+on\b", "select distinct on (a) b", "row_number() = 1"),
    "operator of one engine": Rule(
        r"<=>|~~|!~|\^@|\b(ilike|rlike|glob|similar\s+to|isnull|notnull)\b",
        "a ilike 'b%'",
        "lower() with like, is not distinct from",
    ),
}
# Quotes mean names to one engine and text to the other, and so does what a backslash escapes.
_OUTSIDE_OF_JINJA = {
    "double quotes": Rule(r'"', 'select a as "b"', "names that need no quotes"),
    "backslash": Rule(r"\\", r"a like '\_%'", "a pattern without an escape"),
}
RULES = _RULES | _OUTSIDE_OF_JINJA

_COMMENT = re.compile(r"--[^\n]*|\{#.*?#\}", re.DOTALL)
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_TEXT = re.compile(r"'[^']*'")
_TEXT_IN_JINJA = re.compile(r"\\'.*?\\'|\|\| '[^']*' \|\|")
_TWIN = re.compile(r"\{%-? macro (?:duckdb|spark)_\w+\(.*?\{%-? endmacro -?%\}", re.DOTALL)


def broken(sql: str, place: str) -> list[str]:
    """The rules that a piece of SQL, with its Jinja, breaks in such a place."""
    sql = _COMMENT.sub("", sql)
    # What stands in Jinja is SQL too, in arguments of macros, but for its lists and quotes. Macros
    # have more of Jinja than of SQL there.
    plain = _TEXT.sub("''", _JINJA.sub("''", sql))
    inside = [_TEXT_IN_JINJA.sub("", it) for it in _JINJA.findall(sql) if place != MACRO]
    found = []
    for name, rule in RULES.items():
        if place not in rule.places:
            continue
        read = [plain, *inside]
        if name in _OUTSIDE_OF_JINJA:
            read = [_JINJA.sub("", sql)]
        elif name == "list or subscript":
            read = [plain]
        elif name == "engine":
            read = [sql]
        if any(re.search(rule.pattern, it, re.IGNORECASE | re.MULTILINE) for it in read):
            found.append(f"{name}: write {rule.instead}")
    return found


def _fixtures(file: Path) -> Iterator[str]:
    """The SQL that unit tests are given or expect, of one file."""
    read = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    for test in read.get("unit_tests", ()):
        for part in [*test["given"], test["expect"]]:
            if part.get("format") == "sql":
                yield part["rows"]


def _pieces() -> Iterator[tuple[str, str, str]]:
    """Name, place and SQL of everything that both engines read as it stands."""
    for folder in ("models", "tests"):
        for file in sorted((PROJECT / folder).rglob("*.sql")):
            yield file.stem, MODEL, file.read_text(encoding="utf-8")
    for file in sorted((PROJECT / "models").rglob("*.yml")):
        for sql in _fixtures(file):
            yield file.stem, FIXTURE, sql
    for file in sorted((PROJECT / "macros").rglob("*.sql")):
        if file.parent.name not in OF_ONE_ENGINE and file.stem not in NO_SQL:
            yield file.stem, MACRO, _TWIN.sub("", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_what_it_is_about(name: str) -> None:
    rule = RULES[name]
    for place in rule.places:
        assert f"{name}: write {rule.instead}" in broken(rule.bad, place)


def test_what_both_engines_read_breaks_no_rule() -> None:
    fine = """
        -- Not by epoch_us(): a comment may say anything / everything.
        {# Neither does [this] speak to duckdb. #}
        select
            min_by(a, {{ tuple_of(['b', 'c']) }}) as first_a,
            ' / ' || cast(d as string) as text,
            cast(row_number() over (partition by a order by b nulls last) as bigint) as no,
            {{ ratio('sum(e)', 60) }} as minutes,
            date '9999-12-31' as until_on
        from {{ ref('stays') }}
        where extract(day from d) = 1
        qualify count(*) over (partition by a) = 1
    """
    assert [broken(fine, place) for place in EVERYWHERE] == [[], [], []]


def test_models_fixtures_and_shared_macros_say_what_both_engines_read() -> None:
    pieces = list(_pieces())
    assert {MODEL, FIXTURE, MACRO} == {place for _, place, _ in pieces}
    assert len(pieces) > 300
    found = {f"{name} ({place})": broken(sql, place) for name, place, sql in pieces}
    assert {name: rules for name, rules in found.items() if rules} == {}


def test_a_macro_that_one_engine_spells_has_its_twin_beside_it() -> None:
    twins = {
        file.relative_to(PROJECT).as_posix(): [
            set(re.findall(rf"macro {engine}__(\w+)\(", file.read_text(encoding="utf-8")))
            for engine in ("duckdb", "spark")
        ]
        for file in (PROJECT / "macros").rglob("*.sql")
        if file.parent.name not in OF_ONE_ENGINE
    }
    dispatched = {
        name: pair
        for name, pair in twins.items()
        if "return(adapter.dispatch(" in (PROJECT / name).read_text(encoding="utf-8")
    }
    assert len(dispatched) > 30
    assert {name: pair for name, pair in dispatched.items() if pair[0] != pair[1]} == {}
