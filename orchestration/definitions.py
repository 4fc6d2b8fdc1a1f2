"""Dagster's entry: `dagster dev` loads this module with no configuration."""

from __future__ import annotations

import dagster as dg


@dg.definitions
def voronka() -> dg.Definitions:
    """Everything that Dagster shows and runs."""
    from orchestration.base.errors import WrongUse
    from orchestration.base.settings import load_settings
    from orchestration.defs.build import build_definitions

    try:
        settings = load_settings().checked()
    except WrongUse as error:
        # What led to it is of no use to whoever reads Dagster's page.
        raise error.with_traceback(None) from None
    return build_definitions(settings)
