"""Voronka's orchestration: the Dagster code location and the `voronka` command."""
