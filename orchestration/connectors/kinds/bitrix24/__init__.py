"""Bitrix24, REST."""

from orchestration.connectors.kinds.bitrix24.connector import Bitrix24

CONNECTORS = (Bitrix24,)
