"""What the source systems export: the state of every row at each export.

A batch holds one table of one export as plain columns with a kind for each, which the writer
turns into Parquet for one department or for thousands.
"""

from __future__ import annotations

from collections.abc import Iterable

from seeds.demo.batch import INFINITY, Batch, Department, exports
from seeds.demo.export_company import money, reference
from seeds.demo.export_crm import customers, deals
from seeds.demo.export_events import events, telephony


def batches(department: Department) -> Iterable[Batch]:
    """Every table of every export, export by export."""
    since = -INFINITY
    for export in exports(department.calendar):
        yield from reference(department, export, since)
        yield from customers(department, export, since)
        yield from deals(department, export, since)
        yield from events(department, export, since)
        yield from telephony(department, export, since)
        yield from money(department, export, since)
        since = export.at
