"""Postgres as a second place to publish to, for BI tools that open no file."""
