"""Which manager somebody means: by key, or by an unambiguous part of the name."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import duckdb

from orchestration.base.errors import WrongUse, shortened

_MOST_SHOWN = 10


@dataclass(frozen=True)
class Person:
    """A manager as the CRM has him today; `role` and `team` are None where it names none."""

    key: str
    name: str
    team: str | None
    role: str | None


def find_person(connection: duckdb.DuckDBPyConnection, text: str) -> Person:
    """The manager with this key or, else, the only one with these words in the name.

    Raises WrongUse where nobody or several are meant, with the names that come near.
    """
    rows = connection.execute(
        "select manager_id, coalesce(manager_name, manager_id), team, role "
        "from marts.dim_manager where manager_id <> 'unknown' order by manager_name, manager_id"
    ).fetchall()
    people = [Person(*row) for row in rows]
    for person in people:
        if person.key == text:
            return person
    words = _plain(text).split()
    found = [it for it in people if words and all(word in _plain(it.name) for word in words)]
    if len(found) == 1:
        return found[0]
    asked = shortened(text)
    if found:
        raise WrongUse(
            f"“{asked}” may be any of {len(found)} managers.",
            "Name one by the key or by more of the name.",
            _listed(found),
        )
    raise WrongUse(
        f"There is no manager “{asked}”.",
        "Name one by the key or by a part of the name.",
        _listed(_nearest(people, asked)),
    )


def _nearest(people: list[Person], text: str) -> list[Person]:
    """Those whose key, name or a word of it comes near; all of a small company else."""
    called: dict[str, list[Person]] = {}
    for person in people:
        for word in (person.key, person.name, *person.name.split()):
            called.setdefault(_plain(word), []).append(person)
    near = get_close_matches(_plain(text), called, n=_MOST_SHOWN, cutoff=0.5)
    found = list(dict.fromkeys(person for word in near for person in called[word]))
    return found or people


def _listed(people: list[Person]) -> list[str]:
    lines = [f"{person.key}: {person.name}" for person in people[:_MOST_SHOWN]]
    rest = len(people) - _MOST_SHOWN
    return [*lines, *([f"and {rest} more"] if rest > 0 else [])]


def _plain(text: str) -> str:
    return text.casefold().replace("ё", "е")
