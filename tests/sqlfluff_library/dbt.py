"""What sqlfluff sees of dbt's cross-engine macros."""


def type_string() -> str:
    """The engine's name for text."""
    return "varchar"
