"""amoCRM and Kommo, API v4."""

from orchestration.connectors.kinds.amocrm.connector import Amocrm

CONNECTORS = (Amocrm,)
