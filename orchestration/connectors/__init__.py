"""Connectors: each reads one kind of system and writes what is new into the raw zone.

The frame is here, a system is one file or package in `kinds`; docs/connectors/README.md says how to
add one. Nothing of a refresh is imported but settings, errors, files and the raw contract.
"""
