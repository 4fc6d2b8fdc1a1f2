"""Seeds: small reference tables for dbt and the demo company's generator."""
