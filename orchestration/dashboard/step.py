"""The last step: a page of what was just published."""

from __future__ import annotations

import logging
import time

from orchestration.base.errors import first_line
from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.dashboard.page_cache import write_if_changed

STEP = "dashboard"


def write_page(settings: Settings) -> Record:
    """Write the page; where it fails the publication stands, and the record says so."""
    start = time.monotonic()
    # Not a step of the record: those decide whether something is published.
    record = Record.load(settings.record_file)
    try:
        write_if_changed(settings, record.publication_id)
        record.dashboard, record.dashboard_failure = str(settings.dashboard_file), ""
    # Whatever it is, the marts are published.
    except Exception as error:
        logging.getLogger(__name__).exception("the dashboard was not written")
        record.dashboard, record.dashboard_failure = "", first_line(error)
    record.phases[STEP] = round(time.monotonic() - start, 2)
    record.save(settings.record_file)
    return record
