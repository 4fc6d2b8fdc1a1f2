"""What was said on earlier days, in the private build, and whether it still holds."""

from __future__ import annotations

import duckdb
import pandas as pd

from orchestration.base.cache import fingerprint_of
from orchestration.models.run import OUTLOOK
from orchestration.outlook.history import EPOCH, History


class Said:
    """The tables of the schema `outlook`; days are whole numbers since 1970-01-01."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, build: str, history: History, terms: str
    ) -> None:
        """Of the build attached as `build`; `terms` is what results depend on but the history."""
        self._connection = connection
        self.history = history
        # Median days from winning to payment, as they were known on each day.
        self.lags: dict[int, int] = dict(
            connection.execute(
                f"select (observed_on - {EPOCH})::integer, lag_days "
                f"from {build}.intermediate.int_outlook__payment_lags"
            ).fetchall()
        )
        self._fingerprints = {
            day: fingerprint_of(terms, str(history.fingerprint(day)), self.lags.get(day, 0))
            for day in sorted({*history.month_ends(), *history.forecast_days(), history.as_of})
        }
        before = connection.execute(
            f"select observed_on - {EPOCH}, fingerprint from {OUTLOOK}.fingerprints"
        ).fetchall()
        self.days = {day for day, mark in before if self._fingerprints.get(day) == mark}

    @property
    def is_current(self) -> bool:
        """Whether all that is known was known when it was said."""
        return self.history.as_of in self.days

    def forget_others(self) -> None:
        """Drop what was said on days of which something else is known now."""
        listed = ", ".join(str(day) for day in sorted(self.days)) or "null"
        for table in ("predictions", "scores", "fingerprints"):
            self._connection.execute(
                f"delete from {OUTLOOK}.{table} "
                f"where (observed_on - {EPOCH} in ({listed})) is not true"
            )

    def remember(self) -> None:
        """Note of which past all is that was said; called when it was."""
        rows = pd.DataFrame(self._fingerprints.items(), columns=["observed_on", "fingerprint"])
        self.replace("fingerprints", rows)

    def predictions(self) -> pd.DataFrame:
        """What was predicted at month ends."""
        return self._connection.execute(
            f"select * replace ((observed_on - {EPOCH})::integer as observed_on) "
            f"from {OUTLOOK}.predictions order by observed_on, deal_id"
        ).df()

    def add(self, table: str, rows: pd.DataFrame) -> None:
        """Add rows; columns `…_on` are days."""
        if rows.empty:
            return
        columns = ", ".join(
            f"{EPOCH} + {name}::integer as {name}" if name.endswith("_on") else name
            for name in rows.columns
        )
        self._connection.register("_rows", rows)
        self._connection.execute(
            f"insert into {OUTLOOK}.{table} by name select {columns} from _rows"
        )
        self._connection.unregister("_rows")

    def replace(self, table: str, rows: pd.DataFrame) -> None:
        """Put these rows in the place of a table's."""
        self._connection.execute(f"delete from {OUTLOOK}.{table}")
        self.add(table, rows)
