"""HubSpot, CRM API v3."""

from orchestration.connectors.kinds.hubspot.connector import Hubspot

CONNECTORS = (Hubspot,)
