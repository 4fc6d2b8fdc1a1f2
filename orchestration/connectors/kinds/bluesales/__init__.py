"""BlueSales: a CRM that tells what is now, and never what was."""

from orchestration.connectors.kinds.bluesales.connector import Bluesales

CONNECTORS = (Bluesales,)
