"""A first look at raw values without loading them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.base.sql import literal, quote
from orchestration.base.text import counted, shortened
from orchestration.raw_zone.views import register
from orchestration.raw_zone.zone import RawZone

SAMPLE_ROWS = 10_000
_MONEY = ("crm.payments", "crm.deals", "marketing.ad_spend", "finance.sales_costs")
_SHOWN_CURRENCIES = 5


def empty_required(zone: RawZone) -> list[str]:
    """Required columns with missing values in the first rows of each table, one line for each.

    Looks at SAMPLE_ROWS rows of a table. Whether values read as their types is staging's to say.
    """
    lines = []
    with _looked_into(zone) as connection:
        for table in zone.tables:
            required = [c.name for c in table.contract.columns if c.must_be_there]
            if not table.rows or not required:
                continue
            counts = ", ".join(
                f"count(*) filter (where trim({quote(name)}::varchar) is null "
                f"or trim({quote(name)}::varchar) = '')"
                for name in required
            )
            source = f"{quote(table.contract.source)}.{quote(table.contract.name)}"
            found = connection.execute(
                f"select count(*), {counts} from (select * from {source} limit {SAMPLE_ROWS})"
            ).fetchone()
            assert found is not None
            lines += [
                f"{table.contract.full_name}: {name} is missing in {count:,} of {found[0]:,}"
                for name, count in zip(required, found[1:], strict=True)
                if count
            ]
    return lines


def currencies_without_rates(zone: RawZone, base_currency: str) -> list[str]:
    """Currencies in the first rows of payments, deals and costs that no exchange rate is given for.

    One line for each table; whether a rate is early enough is only known when all is loaded.
    """
    lines = []
    code = "upper(trim(currency::varchar, ' \t\r\n'))"
    with _looked_into(zone) as connection:
        for table in _MONEY:
            rows, unpriced, names = connection.execute(
                f"with sample as (select {code} as code from {table} limit {SAMPLE_ROWS}), "
                f"rates as (select distinct {code} as code from finance.exchange_rates "
                "where currency is not null), "
                f"unpriced as (select code from sample where code <> {literal(base_currency)} "
                "and code <> '' and code not in (select code from rates)) "
                "select (select count(*) from sample), (select count(*) from unpriced), "
                "(select list(distinct code order by code) from unpriced)"
            ).fetchone() or (0, 0, [])
            if unpriced:
                shown = ", ".join(shortened(name) for name in names[:_SHOWN_CURRENCIES])
                more = len(names) - _SHOWN_CURRENCIES
                lines.append(
                    f"{table}: {unpriced:,} of {counted(rows, 'row')} in {shown}"
                    + (f" and {more:,} more" if more > 0 else "")
                )
    return lines


def extensions_of_nobody(zone: RawZone) -> list[tuple[str, int]]:
    """Extensions in the first rows of the calls that no row of the directory names, and their legs.

    The most frequent first; none where there is no call.
    """
    with _looked_into(zone) as connection:
        return connection.execute(
            "select trim(extension::varchar) as held, count(*) as legs "
            f"from (select extension from telephony.calls limit {SAMPLE_ROWS}) "
            "where trim(extension::varchar) <> '' and trim(extension::varchar) not in "
            "(select trim(extension::varchar) from telephony.extensions "
            "where extension is not null) group by held order by legs desc, held"
        ).fetchall()


def nameless_sources(zone: RawZone) -> list[tuple[str, str]]:
    """Sources that rows name and that have no name themselves, with the tables that name them."""
    used = " union ".join(
        f"select distinct trim(source_id::varchar) as source_id, '{table}' as used_in from "
        f"(select source_id from {table} where source_id is not null limit {SAMPLE_ROWS})"
        for table in ("crm.leads", "crm.contacts", "telephony.calls", "marketing.ad_spend")
    )
    with _looked_into(zone) as connection:
        return connection.execute(
            "with named as (select trim(source_id::varchar) as source_id from crm.sources "
            "where source_id is not null and trim(name::varchar) <> '') "
            "select source_id, string_agg(used_in, ', ' order by used_in) "
            f"from ({used}) where source_id <> '' and source_id not in (select * from named) "
            "group by source_id order by source_id"
        ).fetchall()


def known_callers(zone: RawZone) -> tuple[int, int]:
    """Outside calls in the first rows, and how many of them are of a phone that a contact has.

    Compared by the last ten digits, whatever a system puts before them; 0 calls where one of the
    two tables is empty.
    """
    with _looked_into(zone) as connection:
        found = connection.execute(
            "with phones as (select distinct "
            f"{_TEN.format('phone')} as digits from crm.contact_phones), "
            f"calls as (select {_TEN.format('number')} as digits from (select case when "
            "lower(trim(direction::varchar)) = 'in' then from_number else to_number end as number "
            "from telephony.calls where lower(trim(direction::varchar)) in ('in', 'out') "
            f"limit {SAMPLE_ROWS})) "
            "select count(*), count(*) filter (where digits in (select digits from phones)), "
            "(select count(*) from phones where digits is not null) "
            "from calls where length(digits) = 10"
        ).fetchone()
        assert found is not None
    calls, known, phones = found
    return (calls, known) if phones else (0, 0)


_TEN = "right(regexp_replace({}::varchar, '[^0-9]', '', 'g'), 10)"


@contextmanager
def _looked_into(zone: RawZone) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session with views over the raw tables."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "sample.duckdb"
        register(zone, file)
        with duckdb.connect(str(file), read_only=True) as connection:
            yield connection
