"""Names in the published folder that others know."""

PARQUET_LINK = "parquet"
LATEST_LINK = "latest"
