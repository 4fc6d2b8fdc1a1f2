"""connections.example.yml, from the keys of every kind.

`python -m orchestration.cli.connections_example` writes it, `--check` says whether it is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestration.base.errors import EXIT_GOOD, EXIT_STOPPED
from orchestration.connectors.connections import example_block
from orchestration.connectors.registry import all_kinds

FILE = Path("connections.example.yml")
PROJECT_DIR = Path(__file__).resolve().parents[2]
_HEAD = """\
# Which systems are connected: copy the block of yours to connections.yml, take the first mark of
# each line away and fill in what then has none. `voronka connect add KIND` prints a block ready to
# use. No secret is written here: env:NAME says which environment variable holds it.
# Made by `make docs`.
"""
# CRMs first, as a company begins with its own.
_SOURCES = ("crm", "telephony", "marketing")


def example() -> str:
    """The whole file: one commented block for each kind, grouped by what they fill."""
    kinds = list(all_kinds().values())
    order = {source: number for number, source in enumerate(_SOURCES)}
    kinds.sort(key=lambda kind: order.get(kind.source, len(_SOURCES)))
    blocks = ("".join(f"# {line}\n" for line in example_block(kind).splitlines()) for kind in kinds)
    return "\n".join([_HEAD, *blocks])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or compare it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is stale")
    options = parser.parse_args(arguments)
    file = PROJECT_DIR / FILE
    text = example()
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return EXIT_GOOD
    if options.check:
        print(f"{FILE} is stale: run `make docs`.", file=sys.stderr)
        return EXIT_STOPPED
    file.write_text(text, encoding="utf-8")
    print(f"{FILE} is written")
    return EXIT_GOOD


if __name__ == "__main__":
    sys.exit(main())
