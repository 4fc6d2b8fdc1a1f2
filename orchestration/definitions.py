"""Dagster's entry: `dagster dev` loads this module with no configuration."""

from __future__ import annotations

import dagster as dg


@dg.definitions
def voronka() -> dg.Definitions:
    """Everything that Dagster shows and runs."""
    from orchestration.base.settings import load_settings
    from orchestration.defs.build import build_definitions

    return build_definitions(load_settings())
