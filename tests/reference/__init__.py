"""An independent reading of the specification in plain Python.

Written from raw_contract.md and kpi_dictionary.md alone, never from the SQL, so that the two can
be held against each other on random hostile raw zones. Slow and obvious on purpose.

    python -m tests.reference.zones OUT --seed N --kind hostile|mild|extreme
    python -m tests.reference.compare PUBLISHED RAW_DIR [--var name=value ...]

Where the specification leaves a choice, the place that makes it says which one it took.
"""
