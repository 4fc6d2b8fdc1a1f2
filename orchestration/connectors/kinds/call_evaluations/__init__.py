"""Evaluations of calls: from files, from any REST API by configuration, from UIS."""

from orchestration.connectors.kinds.call_evaluations.connector import CallEvaluations
from orchestration.connectors.kinds.call_evaluations.uis import UisEvaluations

CONNECTORS = (CallEvaluations, UisEvaluations)
