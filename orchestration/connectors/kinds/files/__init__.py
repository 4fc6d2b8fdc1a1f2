"""Tables that people export: CSV, TSV, XLSX, XLS, ODS, through a mapping in YAML."""

from orchestration.connectors.kinds.files.connector import Files

CONNECTORS = (Files,)
