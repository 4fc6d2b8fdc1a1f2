"""The sheet of a manager, from the published file."""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.base.errors import WrongUse, first_line
from orchestration.base.settings import Settings
from orchestration.metrics.catalogue import MANIFEST_TABLE, SCHEMA, Catalogue
from orchestration.report.people import find_person
from orchestration.report.sheet import read_sheet
from orchestration.report.words import Page, write_page


def manager_page(settings: Settings, who: str, month: date | None, language: str) -> Page:
    """The sheet of the manager who is meant, in words.

    Raises WrongUse where nothing is published, nobody or several are meant, or the month has not
    begun.
    """
    file = settings.published_file
    if not file.is_file():
        raise WrongUse(f"Nothing is published in {file.parent}.", "Run `voronka refresh` first.")
    try:
        with duckdb.connect(str(file), True, settings.session()) as connection:
            connection.execute("set TimeZone = 'UTC'")
            row = connection.execute(f"select manifest from {SCHEMA}.{MANIFEST_TABLE}").fetchone()
            assert row is not None
            catalogue = Catalogue(row[0])
            person = find_person(connection, who)
            sheet = read_sheet(connection, catalogue, person, month)
    except duckdb.Error as error:
        raise WrongUse(
            f"The report cannot be read from {file}: {first_line(error)}",
            "Run `voronka refresh`, which publishes with this version's marts.",
        ) from error
    return write_page(sheet, catalogue, language, settings.variables.base_currency)
