"""Sheets of paper for a talk, from what is published."""
