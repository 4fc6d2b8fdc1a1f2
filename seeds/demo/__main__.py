"""`python -m seeds.demo`: write the demo company as a raw zone."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from seeds.demo import dirt, finance
from seeds.demo.batch import Department
from seeds.demo.calls import Calls
from seeds.demo.clock import Calendar
from seeds.demo.dealers import Dealers
from seeds.demo.exports import batches
from seeds.demo.sales import Sales
from seeds.demo.touches import Touches
from seeds.demo.writer import Scale, write_batch

RAW = Path(__file__).resolve().parent / "raw"
SEED = 3
FOLDERS = ("crm", "telephony", "marketing", "finance")


def simulate(start: date, months: int, seed: int) -> Department:
    """Simulate one department from the first day of `start`'s month."""
    calendar = Calendar(start.replace(day=1), months)
    calls = Calls(calendar, Random(f"calls {seed}"))
    touches = Touches(calendar, Random(f"touches {seed}"))

    def tell(kind: str, person: int, at: int, item: object) -> None:
        calls.hear(kind, person, at, item)
        touches.hear(kind, person, at, item)

    sales = Sales(calendar, Random(f"sales {seed}"), tell)
    sales.run()
    calls.fill(sales)
    dealers = Dealers(calendar, Random(f"dealers {seed}"), sales, touches)
    dealers.run()
    money = Random(f"money {seed}")
    return Department(
        calendar,
        sales,
        calls,
        touches,
        dealers,
        finance.exchange_rates(calendar, money),
        finance.ad_spend(calendar, money),
        finance.sales_costs(calendar, money),
        finance.quotas(calendar),
    )


def scale_of(department: Department, departments: int) -> Scale:
    """Keys that one department takes, so that the next one's do not meet them."""
    sales, touches = department.sales, department.touches
    return Scale(
        departments,
        {
            "manager": 12,
            "contact": len(sales.contacts),
            "lead": len(sales.leads),
            "deal": len(sales.deals),
            "meeting": len(sales.meetings),
            "payment": len(sales.payments),
            "activity": len(touches.activities),
            "survey": len(touches.surveys),
            "event": sum(len(deal.moves) for deal in sales.deals),
            "call": len(department.calls.legs),
            "phone": sales.phones,
        },
    )


def generate(
    out: Path, start: date, months: int, seed: int, departments: int, calls: int | None = None
) -> dict[str, int]:
    """Write the raw zone below `out`, replacing the one there; returns rows by table."""
    department = simulate(start, months, seed)
    if calls is not None:
        departments = max(1, round(calls / len(department.calls.legs)))
    scale = scale_of(department, departments)
    for folder in FOLDERS:
        shutil.rmtree(out / folder, ignore_errors=True)
    rows: dict[str, int] = {}
    for batch in batches(department):
        written = write_batch(batch, out, scale)
        rows[batch.table] = rows.get(batch.table, 0) + written
    for table, written in dirt.write(department, out).items():
        rows[table] = rows.get(table, 0) + written
    return rows


def main(
    out: Annotated[Path, typer.Option(help="Folder of the raw zone.")] = RAW,
    seed: Annotated[int, typer.Option(help="Same arguments and seed, same bytes.")] = SEED,
    start: Annotated[
        str, typer.Option(help="Any day of the first month. Holidays are known for 2023 to 2027.")
    ] = "2026-04-01",
    months: Annotated[int, typer.Option(min=1, help="Months to simulate.")] = 6,
    scale: Annotated[
        int, typer.Option(min=1, help="Departments of twelve people; 1 is the committed demo.")
    ] = 1,
    calls: Annotated[
        int | None,
        typer.Option(min=1, help="Rows of telephony.calls to aim at; sets --scale to match."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete the raw zone that --out already holds.")
    ] = False,
) -> None:
    """Write the demo company: an invented Russian B2B sales department, as a raw zone."""
    out = out.resolve()
    if out != RAW and not replace and any((out / folder).exists() for folder in FOLDERS):
        raise typer.BadParameter(f"{out} already holds a raw zone; --replace deletes it first.")
    try:
        first = date.fromisoformat(start)
    except ValueError:
        raise typer.BadParameter(f"--start is YYYY-MM-DD, not {start}.") from None
    rows = generate(out, first, months, seed, scale, calls)
    for table, count in sorted(rows.items()):
        typer.echo(f"{count:>12,}  {table}")
    size = sum(
        path.stat().st_size for folder in FOLDERS for path in (out / folder).rglob("*.parquet")
    )
    typer.echo(f"{size / 1e6:>10.1f} MB  {out}")


if __name__ == "__main__":
    typer.run(main)
