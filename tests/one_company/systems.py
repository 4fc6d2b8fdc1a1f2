"""The systems that serve the company: their keys, their names for it, and what they cannot say.

To add a CRM or a telephony is to add one entry to `CRMS` or `TELEPHONIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.connectors.adapter import Adapter, all_adapters
from tests.connectors.adapters.bitrix24 import SimpleBitrix24
from tests.one_company import gaps
from tests.one_company.compare import Gap
from tests.one_company.story import CHANNEL_NAMES, CHANNELS, NOW, ROLES, night
from tests.one_company.truth import SOURCES, Ids
from tests.standins import amocrm, bitrix24, bluesales, hubspot
from tests.standins.company import Company

ADAPTERS: dict[str, Adapter] = {}
for _it in all_adapters():
    ADAPTERS.setdefault(_it.kind, _it)
# Three loads, so that what changes between two of them is among what is compared.
_LOADS = (night(4), night(11), NOW)
# A system without a history: no sale moves twice between two of these.
_NIGHTS = (*map(night, (0, 2, 3, 4, 7, 8, 9, 14, 15, 16, 17)), NOW)


@dataclass(frozen=True)
class System:
    """A system that serves the company.

    `keys` come beside those of its adapter. `sale_of` reads the number of a sale from the key of a
    lead or a deal without prefix, `ids` are its managers and sources. `loads` are when it is read,
    `called` what the company calls what has another name there.
    """

    name: str
    adapter: Adapter
    keys: Mapping[str, Any] = field(default_factory=dict)
    sale_of: Callable[[str], int] = int
    ids: Ids = field(default_factory=Ids)
    loads: Sequence[datetime] = _LOADS
    gaps: Sequence[Gap] = ()
    called: Mapping[str, str] = field(default_factory=dict)


def _managers(company: Company) -> dict[str, Any]:
    found = {}
    for it in company.managers:
        role, hired_on, dismissed_on = ROLES[it.number]
        given = {"role": role, "team": it.team, "hired_on": hired_on, "dismissed_on": dismissed_on}
        found[it.email] = {key: value for key, value in given.items() if value}
    return found


def crm_keys(system: System, company: Company) -> dict[str, Any]:
    """What every CRM is told of the company."""
    return {
        "prefix": f"{system.name}-",
        "managers": _managers(company),
        "source_channels": CHANNEL_NAMES,
        **system.keys,
    }


_AMO = Ids(
    lambda number: f"amocrm-{7000 + number}",
    lambda key: f"amocrm-{amocrm.SOURCES[key][0]}",
)


def _bitrix_ids(name: str) -> Ids:
    return Ids(f"{name}-{{}}".format, lambda key: f"{name}-{bitrix24.SOURCES[key][0]}")


CRMS = (
    System(
        "amocrm",
        ADAPTERS["amocrm"],
        {"deal_only_pipelines": ["Заказы"], "deal_types": {"Заказы": "repeat"}},
        lambda key: int(key) - 50_000,
        _AMO,
        gaps=gaps.AMOCRM,
    ),
    System(
        "bitrix24",
        ADAPTERS["bitrix24"],
        {
            "payments_from": "native",
            "lost_reason_field": "Причина отказа",
            "deal_types": {"Заказы": "repeat"},
        },
        lambda key: int(key) % 100,
        _bitrix_ids("bitrix24"),
        gaps=gaps.BITRIX24,
    ),
    System(
        "bitrix24_simple",
        SimpleBitrix24(),
        {
            "payments_from": "native",
            "lost_reason_field": "Причина отказа",
            "deal_types": {"Заказы": "repeat"},
            "deal_only_pipelines": ["Заказы"],
            "target_stages": ["Продажи / Договор"],
            "non_target_stages": ["Продажи / Закрыто и не реализовано"],
        },
        lambda key: int(key) % 100,
        _bitrix_ids("bitrix24_simple"),
        gaps=gaps.BITRIX24_SIMPLE,
    ),
    System(
        "hubspot",
        ADAPTERS["hubspot"],
        {
            "source_channels": {hubspot.SOURCES[key]: CHANNELS[key] for key in hubspot.SOURCES}
            | {"google": "google"}
        },
        lambda key: int(key) % 1_000,
        Ids(
            lambda number: f"hubspot-{6000 + number}",
            lambda key: f"hubspot-{hubspot.SOURCES[key]}",
        ),
        called={hubspot.SOURCES[key]: SOURCES[key] for key in hubspot.SOURCES},
        gaps=gaps.HUBSPOT,
    ),
    System(
        "bluesales",
        ADAPTERS["bluesales"],
        {
            "won_stages": ["CRM-статусы / Успешно реализовано", "Заказы / Доставлен"],
            "lost_stages": ["CRM-статусы / Закрыто и не реализовано", "Заказы / Отменён"],
            "target_field": None,
            "target_values": [],
            "non_target_values": [],
            "target_stages": ["Договор"],
            "non_target_stages": ["Закрыто и не реализовано"],
        },
        lambda key: int(key.lstrip("co")) % 1_000,
        Ids(
            lambda number: f"bluesales-{10 + number}",
            lambda key: f"bluesales-{bluesales.SOURCES[key]['id']}",
        ),
        loads=_NIGHTS,
        gaps=gaps.BLUESALES,
        called={"CRM-статусы": "Продажи"},
    ),
)

_BY_EMAIL = {"managers": {}, "match": "email"}
_BY_NUMBER = {"101": "m1", "102": "m2", "103": "m3", "104": "m4"}
TELEPHONIES = (
    System(
        "asterisk_sql", ADAPTERS["asterisk_sql"], {"extensions": _BY_NUMBER}, gaps=gaps.ASTERISK_SQL
    ),
    System(
        "asterisk_csv", ADAPTERS["asterisk_csv"], {"extensions": _BY_NUMBER}, gaps=gaps.ASTERISK_CSV
    ),
    System("mango", ADAPTERS["mango"], _BY_EMAIL, gaps=gaps.MANGO),
    System(
        "mango_basic", ADAPTERS["mango"], {"managers": _BY_NUMBER, "api": "basic"}, gaps=gaps.MANGO
    ),
    System("uis", ADAPTERS["uis"], _BY_EMAIL, gaps=gaps.UIS),
    System("zadarma", ADAPTERS["zadarma"], {"managers": _BY_NUMBER}, gaps=gaps.ZADARMA),
    System("twilio", ADAPTERS["twilio"], {"managers": _BY_NUMBER}, gaps=gaps.TWILIO),
)
