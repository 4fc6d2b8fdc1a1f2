"""What a run imports, for the process that the killed runs are forked from."""

import duckdb  # noqa: F401
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
import requests  # noqa: F401

import orchestration.connectors.loading
import orchestration.connectors.run
from orchestration.connectors.registry import all_kinds

all_kinds()
orchestration.connectors.loading.import_dlt()
