"""How a failed step shows on Dagster's page: with its sentence and what to do, as everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from orchestration.base.errors import VoronkaError, is_disk_full
from orchestration.base.record import Failure


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turn a failure that has a remedy into Dagster's; a fault of the program keeps its trace."""
    try:
        yield
    except Exception as error:
        if isinstance(error, VoronkaError) or is_disk_full(error):
            raise as_dagsters(Failure.of(error)) from None
        raise


def as_dagsters(failure: Failure) -> dg.Failure:
    """Dagster's failure, not tried again: the same files give the same result."""
    metadata = {"what to do": failure.remedy}
    if failure.details:
        metadata["details"] = "\n".join(failure.details)
    text = f"{failure.message}\n{failure.remedy}"
    return dg.Failure(text, metadata=metadata, allow_retries=False)
