"""Mango Office: the hosted exchange's statistics of calls."""

from orchestration.connectors.kinds.mango.connector import Mango

CONNECTORS = (Mango,)
