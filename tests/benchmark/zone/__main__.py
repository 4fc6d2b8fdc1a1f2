"""`python -m tests.benchmark.zone --scale s --into DIR`: write the benchmark's raw zone."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.benchmark.zone.generator import NEXT_DAYS, SCALES, Company


def main() -> None:
    """Write the history, or with --day what comes on a day after it."""
    parser = argparse.ArgumentParser(description=__doc__)
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--scale", choices=SCALES, help="0.2, 2 or 10 million calls")
    size.add_argument("--calls", type=int, help="call legs of the history, any number")
    parser.add_argument("--into", type=Path, required=True, help="where the zone's folders go")
    parser.add_argument(
        "--day",
        type=int,
        choices=range(1, NEXT_DAYS + 1),
        metavar=f"1..{NEXT_DAYS}",
        help="only the files of this day after the history",
    )
    arguments = parser.parse_args()
    company = Company(arguments.calls or SCALES[arguments.scale])
    if arguments.day:
        rows = company.write_day(arguments.into, arguments.day)
    else:
        rows = company.write_history(arguments.into)
    company.close()
    for table, count in sorted(rows.items()):
        print(f"{count:>12,}  {table}")
    print(f"{sum(rows.values()):>12,}  in all")


if __name__ == "__main__":
    main()
