"""Names in the published set that others know."""

PARQUET_LINK = "parquet"
LATEST_LINK = "latest"
# Views of the marts with Russian names of columns.
RUSSIAN_SCHEMA = "marts_ru"
