"""Asterisk and FreePBX: call detail records as CSV files or as a table."""

from orchestration.connectors.kinds.asterisk.csv_files import AsteriskCsv
from orchestration.connectors.kinds.asterisk.sql_table import AsteriskSql

CONNECTORS = (AsteriskCsv, AsteriskSql)
