"""What sqlfluff sees of dbt's `adapter`: a dispatched macro is a call of its name."""

from __future__ import annotations

from collections.abc import Callable


def dispatch(name: str, package: str) -> Callable[..., str]:
    """A macro that renders as SQL of the right shape."""
    if name == "date_spine":
        return lambda relation, *_: f"select date_day from {relation}"
    if name == "utc_instant":
        return lambda text: f"timestamptz '{text}'"
    if name == "joined_text":
        return lambda value, separator: f"string_agg({value}, '{separator}')"
    if name in ("materialized", "not_materialized"):
        return lambda: name.replace("_", " ")
    return lambda *arguments: f"{name}({', '.join(map(str, arguments))})"
