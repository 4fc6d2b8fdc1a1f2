"""What a run imports, for the process that the killed runs are forked from."""

import importlib

from orchestration.connectors.loading import import_dlt
from orchestration.connectors.registry import all_kinds

for module in ("duckdb", "pyarrow.compute", "pyarrow.parquet", "requests",
               "orchestration.connectors.run"):  # fmt: skip
    importlib.import_module(module)
all_kinds()
import_dlt()
