"""What every step of a refresh needs."""

from collections.abc import Iterator

import dagster as dg

from orchestration.base.lock import only_refresh
from orchestration.base.settings import Settings

REFRESH_LOCK = "refresh_lock"


def build_refresh_lock(settings: Settings) -> dg.ResourceDefinition:
    """The right to be the only refresh, for as long as a run takes."""

    @dg.resource(description="One refresh at a time in a data directory.")
    def refresh_lock() -> Iterator[None]:
        with only_refresh(settings):
            yield

    return refresh_lock
