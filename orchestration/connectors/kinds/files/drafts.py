"""A mapping to begin with, from the headers of a file, Russian or English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.connectors.kinds.files import reading, values
from orchestration.connectors.kinds.files.connector import sheets_of
from orchestration.connectors.kinds.files.mapping import match
from orchestration.connectors.kinds.files.reading import Unreadable
from orchestration.raw_zone.contract import load_contract

_WITHIN = 15
_OWNER = ["Ответственный", "Менеджер", "Owner", "Deal owner", "Manager", "Ответственный*"]
_SOURCE = ["Источник", "Source", "Lead source", "Канал"]
_CREATED = ["Дата создания*", "Создан*", "Create date", "Created*", "Дата первого контакта"]
_AMOUNT = ["Бюджет*", "Сумма документа", "Сумма*", "Amount*", "Value", "Стоимость*"]
# Headers of amoCRM, Bitrix24, BlueSales, 1C, HubSpot and of people, by column.
CANDIDATES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "crm.deals": {
        "deal_id": ["ID", "ID сделки", "Номер сделки", "№ сделки", "Deal ID", "Record ID"],
        "amount": _AMOUNT, "currency": ["Валюта", "Currency"], "manager_id": _OWNER,
        "pipeline_id": ["Воронка", "Направление", "Pipeline"],
        "stage_id": ["Этап сделки", "Стадия сделки", "Этап", "Deal stage", "Stage"],
        "source_id": _SOURCE, "created_at": ["Дата создания сделки", *_CREATED],
        "closed_at": ["Дата закрытия*", "Close date", "Closed*"],
        "expected_close_on": ["Предполагаемая дата закрытия", "Expected close*"],
        "lost_reason": ["Причина отказа", "Closed lost reason", "Lost reason"],
    },
    "crm.leads": {
        "lead_id": ["ID лида", "Lead ID", "ID"], "manager_id": _OWNER, "source_id": _SOURCE,
        "created_at": _CREATED, "updated_at": ["Дата изменения", "Last modified*"],
        "is_target": ["Целевой", "Название лида", "Lead status"],
        "rejection_reason": ["Причина отказа"], "utm_source": ["utm_source"],
        "utm_medium": ["utm_medium"], "utm_campaign": ["utm_campaign"],
    },
    "crm.contacts": {
        "contact_id": ["ID контакта", "ID клиента", "Contact ID", "Record ID", "ID", "Телефон*"],
        "name": ["ФИО", "Имя", "Name", "First name"], "company": ["Компания", "Company*"],
        "email": ["E-mail", "Email", "Почта"], "created_at": _CREATED, "source_id": _SOURCE,
    },
    "crm.payments": {
        "payment_id": ["Номер", "Номер документа", "Payment ID"],
        "deal_id": ["№ сделки", "Номер сделки", "ID сделки", "Deal ID"],
        "paid_at": ["Дата оплаты", "Дата платежа", "Payment date", "Дата"],
        "amount": ["Сумма документа", "Сумма*", "Amount"], "currency": ["Валюта", "Currency"],
        "kind": ["Вид операции", "Тип операции", "Type"],
    },
    "crm.quotas": {
        "manager_id": _OWNER, "metric": ["Показатель", "Metric", "KPI"],
        "period": ["Период", "Period"], "period_start": ["Месяц", "Начало", "Month", "Start"],
        "target": ["План", "Цель", "Target", "* / План", "Plan"],
    },
    "crm.managers": {
        "manager_id": ["ID сотрудника", "Табельный номер", "Employee ID", "User ID"],
        "full_name": ["ФИО", "Сотрудник", "Full name"], "email": ["E-mail", "Email", "Почта"],
        "team": ["Отдел", "Команда", "Team"], "hired_on": ["Дата приёма*", "Hire date"],
        "dismissed_on": ["Дата увольнения", "Dismissed*"],
    },
    "marketing.ad_spend": {
        "spend_date": ["День", "Дата", "Date", "Day"], "source_id": [*_SOURCE, "Площадка"],
        "campaign": ["Кампания*", "Campaign*"], "cost": ["Расход*", "Затраты*", "Cost*", "Spend"],
        "impressions": ["Показы", "Impressions"], "clicks": ["Клики", "Clicks"],
    },
    "finance.sales_costs": {
        "month": ["Месяц", "Month"], "team": ["Отдел", "Команда", "Team"],
        "cost": ["Затраты*", "Расходы*", "Cost*"],
    },
}  # fmt: skip
_HINTS = {
    "crm.leads": ("лид", "lead"),
    "crm.payments": ("операции", "оплат", "платеж", "payment"),
}
_HINT = 3
_LOOKED_UP = {"manager_id": ("crm.managers", "full_name", "manager_id"),
              "source_id": ("crm.sources", "name", "source_id"),
              "pipeline_id": ("crm.pipelines", "name", "pipeline_id"),
              "stage_id": ("crm.stages", "name", "stage_id")}  # fmt: skip
_KINDS = {"timestamp": "timestamp", "date": "date", "decimal": "money", "integer": "integer",
          "boolean": "boolean"}  # fmt: skip


def draft(file: Path) -> str:
    """The mapping as YAML. Raises WrongUse where the file is no table."""
    try:
        sheet = max(sheets_of(file, None), key=lambda it: len(it.lines))
        row, headers = _header(sheet)
    except (Unreadable, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise WrongUse(
            f"{file.name}: {words}.", "Name a CSV, TSV, XLSX, XLS or ODS file with headers."
        ) from None
    table, found = _table(headers)
    contract = load_contract(Settings().root).tables[table]
    types = {column.name: column.data_type for column in contract.columns}
    enums = {
        column.name: column.meta["values"]
        for column in contract.columns
        if column.meta.get("values")
    }
    columns: dict[str, Any] = {}
    lookups: dict[str, Any] = {}
    for name, header in found.items():
        column: dict[str, Any] = {"from": header}
        if name in _LOOKED_UP and name != table.partition(".")[2].removesuffix("s") + "_id":
            source, key, value = _LOOKED_UP[name]
            lookup = source.partition(".")[2]
            column["lookup"] = lookup
            lookups[lookup] = {"from": source, "key": key, "value": value, "unknown": "text"}
        elif name in enums:
            at = headers.index(header)
            seen = dict.fromkeys(
                values.cell_text(line.cells[at])
                for line in sheet.lines[row:]
                if at < len(line.cells)
            )
            column["map"] = {it: enums[name][0] for it in list(seen)[:20] if it}
        elif types.get(name) in _KINDS:
            column["as"] = _KINDS[types[name]]
        columns[name] = column
    needed = [
        it.name
        for it in contract.columns
        if (it.is_key or it.is_required) and it.name not in columns and it.name != "_loaded_at"
    ]
    document: dict[str, Any] = {
        "table": table,
        "files": [f"*{file.suffix}"],
        "read": {"header": {"rows": [row]}},
        "values": {"timezone": "Europe/Moscow", "decimal": "auto", "nulls": ["", "-"]},
        "mode": "append",
        "columns": columns,
    }
    if sheet.name:
        document["read"]["sheets"] = [sheet.name]
    if lookups:
        document["lookups"] = lookups
    unused = [it for it in headers if it and it not in found.values()]
    notes = [f"# A mapping to begin with, from {file.name}: read each line before you use it."]
    if needed:
        notes.append(f"# {table} also needs: {', '.join(needed)}. Write each under columns.")
    if unused:
        notes.append(f"# Not mapped: {', '.join(' '.join(it.split()) for it in unused)}")
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
    return "\n".join([*notes, text])


def _header(sheet: reading.Sheet) -> tuple[int, list[str]]:
    """The row of headers, from 1: the one of the first rows with most known headers."""
    best: tuple[int, int, list[str]] = (-1, 0, [])
    for place, line in enumerate(sheet.lines[:_WITHIN], 1):
        headers = [" ".join((values.cell_text(it) or "").split()) for it in line.cells]
        known = max((len(_fits(headers, it)) for it in CANDIDATES.values()), default=0)
        if known > best[0]:
            best = (known, place, headers)
    if best[0] < 1:
        raise Unreadable("none of its first rows has headers that are known")
    return best[1], best[2]


def _table(headers: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The table whose candidates fit best; a word in the headers that names it counts more."""
    fits = {table: _fits(headers, columns) for table, columns in CANDIDATES.items()}
    whole = values.fold(" ".join(headers))
    hints = {table: any(it in whole for it in words) for table, words in _HINTS.items()}
    best = max(fits, key=lambda it: len(fits[it]) + _HINT * hints.get(it, False))
    return best, fits[best]


def _fits(headers: Sequence[str], columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, candidates in columns.items():
        for candidate in candidates:
            header = match([candidate], [it for it in headers if it])
            if header and header not in found.values():
                found[name] = header
                break
    return found
