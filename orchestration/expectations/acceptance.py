"""Checks that stop a publication unless the person who refreshes accepts what they found.

They are not dbt's: what is new is new to the published set, which the build does not know, and
what a person accepts must not change a model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import duckdb

from orchestration.base.errors import ChecksFailed
from orchestration.base.record import FAIL, PASS, QUARANTINE, UNPRICED, WARN, CheckOutcome
from orchestration.base.settings import Settings
from orchestration.base.sql import attach, insert, literal, quote
from orchestration.base.text import counted, shortened
from orchestration.expectations.hints import hint
from orchestration.raw_zone.contract import Contract, Table

KIND = "voronka"
# Below so many new rows of a table their share says little.
_JUDGED_ROWS = 20
_QUARANTINE_WARNS = 0.05
_UNPRICED_WARNS, _UNPRICED_STOPS = 0.01, 0.5
# Figures of money and what their rows are; too many without a rate stop some of them.
_FIGURES = {
    "revenue": "payment",
    "won_amount": "won deal",
    "lost_amount": "lost deal",
    "open_amount": "open deal",
    "ad_spend": "advertising cost",
    "sales_cost": "cost of the sales department",
}
_STOPPING = ("revenue", "won_amount")
_SHOWN_REASONS = 3
_SHOWN_CURRENCIES = 5
_SAMPLE = 1_000
_LONGEST_EXAMPLE = 60


@dataclass(frozen=True)
class Acceptance:
    """A check that may be accepted: what it is about, and what a person may do about it.

    `accept` is a word of ACCEPTABLE, the option's `--accept-<word>`.
    """

    check: str
    asset: str
    accept: str
    description: str
    remedy: str

    def outcome(
        self, status: str, rows: int, findings: Sequence[str], accepted: Collection[str]
    ) -> CheckOutcome:
        """How the check ended; a failure that was accepted is a warning that says so."""
        message = "; ".join(findings)
        if status == FAIL and self.accept in accepted:
            status = WARN
            message += f"; published all the same: --accept-{self.accept}"
        return CheckOutcome(self.check, KIND, self.asset, "error", status, rows, message)


NEW_ROWS = Acceptance(
    "new_rows_keep_the_contract",
    "quality.raw_reconciliation",
    QUARANTINE,
    "Of no table a large share of the rows that are new to the published set is in quarantine. "
    "From 5% on it warns, from the variable quarantine_stop_share on nothing is published.",
    "Let the exporter write these files again, or move them out of the raw zone; "
    "--accept-quarantine publishes without these rows.",
)
MONEY = Acceptance(
    "money_has_a_rate",
    "quality.unpriced_money",
    UNPRICED,
    "Money has a rate to the base currency. From 1% of a figure's rows without one it warns; where "
    "more than half of the payments, or of the won deals, have none nothing is published.",
    "Set the variable base_currency to the currency of the amounts, or add their rates to "
    "finance.exchange_rates; --accept-unpriced publishes without this money.",
)
ACCEPTANCES = (NEW_ROWS, MONEY)


def judge(settings: Settings, contract: Contract, accepted: Collection[str]) -> list[CheckOutcome]:
    """What the build holds that may be accepted, in the order of ACCEPTANCES.

    `accepted` has words of ACCEPTABLE.
    """
    with duckdb.connect(config=settings.session()) as connection:
        attach(connection, *settings.build_files, settings.raw_zone_file)
        connection.execute(f"use {quote(settings.marts_file.stem)}")
        connection.execute(
            f"create temp view listed_files as from {quote(settings.raw_zone_file.stem)}.zone.files"
        )
        return [
            judge_new_rows(
                connection,
                contract,
                published_before(settings.published_file, str(settings.raw_zone)),
                settings.variables.quarantine_stop_share,
                accepted,
            ),
            judge_money(connection, accepted),
        ]


def raise_stopping(stopping: Sequence[CheckOutcome]) -> None:
    """Raise ChecksFailed for checks that stop the publication, with what to do about them."""
    if not stopping:
        return
    remedies = [it.remedy for it in ACCEPTANCES if it.check in {check.name for check in stopping}]
    if len(remedies) < len(stopping):
        remedies.append(
            "`voronka status` lists them; correct the data or the models, then refresh again."
        )
    raise ChecksFailed(
        f"{counted(len(stopping), 'blocking check')} failed. Nothing was published.",
        " ".join(remedies),
        [
            f"{check.asset}: {check.name}: {line}"
            for check in stopping
            for line in check.message.split("; ")
        ],
    )


@dataclass(frozen=True)
class PublishedBefore:
    """The raw files behind the published set (table, path, rows, bytes), and what was said then."""

    files: Collection[tuple[str, str, int, int]] = ()
    outcome: CheckOutcome | None = None


def published_before(file: Path, raw_dir: str) -> PublishedBefore:
    """What is published, if it is of this raw zone; nothing where it is not or cannot be read."""
    if not file.is_file():
        return PublishedBefore()
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            origin = connection.execute("select raw_dir from quality.publication").fetchone()
            if origin != (raw_dir,):
                return PublishedBefore()
            files = connection.execute(
                "select table_name, file, rows, bytes from quality.raw_files"
            ).fetchall()
            said = connection.execute(
                "select check_name, kind, asset, severity, status, failing_rows, message "
                f"from quality.checks where check_name = {literal(NEW_ROWS.check)}"
            ).fetchone()
    except duckdb.Error:
        return PublishedBefore()
    return PublishedBefore(set(files), CheckOutcome(*said) if said else None)


def judge_new_rows(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    before: PublishedBefore,
    stop_share: float,
    accepted: Collection[str],
) -> CheckOutcome:
    """Whether the rows that are new to the published set keep the contract, table by table.

    A refresh that was refused has published nothing: its files are as new to the next one. Where no
    file is new, what was found when the set was published still holds.
    """
    connection.execute(
        "create temp table new_files (table_name varchar, file varchar, rows bigint)"
    )
    new = [
        (table, file, rows)
        for table, file, rows, size in connection.execute(
            "select table_name, file, rows, bytes from listed_files"
        ).fetchall()
        if (table, file, rows, size) not in before.files
    ]
    if not new and before.outcome is not None:
        return before.outcome
    insert(connection, "new_files", new)
    found = [
        share
        for table in contract.tables.values()
        if (share := _share(connection, table)) and share.is_worth_saying(stop_share)
    ]
    stopping = [share for share in found if share.stops(stop_share)]
    is_refused = bool(stopping) and QUARANTINE not in accepted
    return NEW_ROWS.outcome(
        FAIL if stopping else WARN if found else PASS,
        sum(share.quarantined for share in found),
        # Raw values may be personal: what is published names none.
        [_said(connection, share, with_examples=is_refused) for share in stopping or found],
        accepted,
    )


@dataclass(frozen=True)
class _Share:
    """How many of a table's new rows are in quarantine."""

    table: Table
    rows: int
    quarantined: int

    @property
    def share(self) -> float:
        return self.quarantined / self.rows

    def stops(self, stop_share: float) -> bool:
        return self.rows >= _JUDGED_ROWS and self.share >= stop_share

    def is_worth_saying(self, stop_share: float) -> bool:
        """Also where all of a few rows are bad: nothing came in."""
        is_large = self.rows >= _JUDGED_ROWS and self.share >= min(_QUARANTINE_WARNS, stop_share)
        return is_large or self.quarantined == self.rows


def _share(connection: duckdb.DuckDBPyConnection, table: Table) -> _Share | None:
    """None where the table has no new row in quarantine."""
    found = connection.execute(
        f"select count(*) from {_quarantine_of(table)} semi join new_files "
        f"on _file = file and table_name = {literal(table.full_name)}"
    ).fetchone()
    rows = connection.execute(
        f"select sum(rows)::bigint from new_files where table_name = {literal(table.full_name)}"
    ).fetchone()
    assert found is not None and rows is not None
    return _Share(table, rows[0], found[0]) if found[0] else None


def _said(connection: duckdb.DuckDBPyConnection, share: _Share, with_examples: bool) -> str:
    """`crm.leads: 30 of 40 new rows (75.0%) are in quarantine: created_at: type 30 rows, …`."""
    reasons = connection.execute(
        "select reason, count(*) from ("
        f"select unnest(reasons) as reason from {_quarantine_of(share.table)} semi join new_files "
        f"on _file = file and table_name = {literal(share.table.full_name)}"
        f") group by all order by 2 desc, 1 limit {_SHOWN_REASONS}"
    ).fetchall()
    parts = [
        _reason(connection, share.table, reason, rows, with_examples) for reason, rows in reasons
    ]
    return (
        f"{share.table.full_name}: {share.quarantined:,} of {counted(share.rows, 'new row')} "
        f"({share.share:.1%}) {'is' if share.quarantined == 1 else 'are'} in quarantine: "
        f"{', '.join(parts)}"
    )


def _reason(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    reason: str,
    rows: int,
    with_examples: bool,
) -> str:
    name, _, rule = reason.partition(": ")
    examples = connection.execute(
        f"select {quote(name)}::varchar, _file from {_quarantine_of(table)} semi join new_files "
        f"on _file = file and table_name = {literal(table.full_name)} "
        f"where list_contains(reasons, {literal(reason)}) order by _file, 1 limit {_SAMPLE}"
    ).fetchall()
    text = f"{reason} in {counted(rows, 'row')}"
    if with_examples:
        value, file = examples[0]
        text += f", for example {shortened(value or '', _LONGEST_EXAMPLE) or 'nothing'} in {file}"
    (column,) = (it for it in table.columns if it.name == name)
    known = hint(column, rule, [value for value, _ in examples if value is not None])
    return f"{text} ({known})" if known and with_examples else text


def _quarantine_of(table: Table) -> str:
    return f"quarantine.{quote(f'{table.source}_{table.name}')}"


def judge_money(connection: duckdb.DuckDBPyConnection, accepted: Collection[str]) -> CheckOutcome:
    """Whether money has a rate, of all existing rows: see quality.unpriced_money.

    Not of new rows alone: a day without rates would be forgotten on the next.
    """
    figures = unpriced_money(connection)
    found = [it for it in figures if it.unpriced >= _UNPRICED_WARNS * it.rows]
    is_stopping = any(
        it.figure in _STOPPING and it.unpriced > _UNPRICED_STOPS * it.rows for it in found
    )
    return MONEY.outcome(
        FAIL if is_stopping else WARN if found else PASS,
        sum(it.unpriced for it in found),
        [it.text for it in found],
        accepted,
    )


@dataclass(frozen=True)
class Unpriced:
    """A figure, the rows it is made of, and those it lacks.

    `currencies` are those without a rate, each with its rows, the most frequent first.
    """

    figure: str
    rows: int
    unpriced: int
    first_on: date
    currencies: Mapping[str, int]

    @property
    def text(self) -> str:
        """In words, with the currencies that have no rate."""
        return (
            f"{self.figure} lacks {self.unpriced:,} of {counted(self.rows, _FIGURES[self.figure])} "
            f"({self.unpriced / self.rows:.1%}): no rate of {self.currencies_in_words}, "
            f"first on {self.first_on}"
        )

    @property
    def currencies_in_words(self) -> str:
        """`USD (120 rows), EUR (1 row)`."""
        named = [
            f"{shortened(name, _LONGEST_EXAMPLE)} ({counted(rows, 'row')})"
            for name, rows in islice(self.currencies.items(), _SHOWN_CURRENCIES)
        ]
        more = len(self.currencies) - len(named)
        return ", ".join(named) + (f" and {more:,} more" if more else "")


def unpriced_money(connection: duckdb.DuckDBPyConnection) -> list[Unpriced]:
    """The figures that lack money for want of a rate, from a build or a published file."""
    rows = connection.execute(
        "select figure, sum(rows)::bigint, sum(rows_unpriced)::bigint, min(first_unpriced_on), "
        "map_from_entries(list((currency, rows_unpriced::bigint) "
        "order by rows_unpriced desc, currency) filter (where rows_unpriced > 0)) "
        "from quality.unpriced_money group by figure having sum(rows_unpriced) > 0 order by figure"
    ).fetchall()
    return [Unpriced(*row) for row in rows]
