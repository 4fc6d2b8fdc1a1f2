"""`python -m orchestration.cli` is `voronka`."""

from orchestration.cli import main

main()
