"""The second step: dbt."""
