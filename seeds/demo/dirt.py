"""Every kind of dirt that the raw contract names, a few rows each.

Two more uploads per table: one typed by hand, where every value is text, and one from a data
frame, with floating numbers for whole ones and NaN for nothing. Kept rows are credited to nobody
whom the diagnosis looks at, so that they blur no story.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from seeds.demo.batch import Department
from seeds.demo.clock import Calendar
from seeds.demo.writer import write_files

Row = dict[str, object]
Rows = dict[str, list[Row]]
NOTHING = float("nan")
BY_HAND_DAYS = 15
FROM_FRAME_DAYS = 8


class Days:
    """Dates and moments at a share of the range, as text."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar

    def day(self, share: float, later: int = 0) -> str:
        """Name a working day near a share of the range, as YYYY-MM-DD."""
        days = self.calendar.working_days
        return days[min(int(share * len(days)) + later, len(days) - 1)].isoformat()

    def at(self, share: float, clock: str = "11:30:00+03:00") -> str:
        """Name a moment of that day."""
        return f"{self.day(share)}T{clock}"

    def month(self, index: int = 0) -> str:
        """First day of the first month of the range."""
        return self.calendar.start.replace(day=index + 1).isoformat()


def by_hand(days: Days) -> Rows:
    """Rows of the upload typed by hand."""
    makers: list[Callable[[Days], Rows]] = [
        _people,
        _customers,
        _leads,
        _deals,
        _meetings,
        _touches,
        _payments,
        _plans,
        _telephony,
        _money,
    ]
    rows: Rows = {}
    for maker in makers:
        rows.update(maker(days))
    return rows


def _people(days: Days) -> Rows:
    return {
        "crm.managers": [
            # Bad optional values: a role that is other, a date that does not read.
            {
                "manager_id": "m-90",
                "full_name": " Громова Вера\t",
                "role": "стажёр",
                "team": "Продажи",
                "hired_on": "31.12.2025",
            },
            {"manager_id": "  m-91 ", "full_name": "Лавров Семён", "role": "HUNTER"},
            {
                "manager_id": "m-92",
                "full_name": "Тестов Тест",
                "hired_on": days.day(0.5),
                "dismissed_on": days.day(0.1),
            },
            {"manager_id": "m-94", "full_name": "  \t ", "role": "farmer"},
            {"manager_id": None, "full_name": "Безномерной Пётр"},
            # A deletion of somebody who never was.
            {"manager_id": "m-93", "is_deleted": "true"},
        ],
        "crm.sources": [
            {"source_id": "sms", "name": "   "},
            # The unknown member, named by the CRM itself.
            {"source_id": "unknown", "name": "Не указан"},
            {"source_id": " forum\t", "name": "Форум ", "channel": " "},
        ],
        "crm.pipelines": [
            {"pipeline_id": "pilot", "name": "Пилот (закрыт)", "is_deleted": "1"},
            {"pipeline_id": "tender", "name": None},
        ],
        "crm.stages": [
            {
                "stage_id": "p_try",
                "pipeline_id": "pilot",
                "name": "Проба",
                "position": "10.0",
                "kind": " Open",
            },
            {
                "stage_id": "g_lost",
                "pipeline_id": "ghost",
                "name": "Ничья",
                "position": "5",
                "kind": "Pre-Sale",
            },
            {
                "stage_id": "g_wait",
                "pipeline_id": "ghost",
                "name": "Ничья",
                "position": "6",
                "kind": "PRESALE",
            },
            {
                "stage_id": "s_pause",
                "pipeline_id": "sales",
                "name": "Пауза",
                "position": "55",
                "kind": "paused",
            },
            {
                "stage_id": "s_half",
                "pipeline_id": "sales",
                "name": "Половина",
                "position": "1.5",
                "kind": "open",
            },
        ],
    }


def _customers(days: Days) -> Rows:
    early, late = days.at(0.2), days.at(0.6)
    return {
        "crm.contacts": [
            {
                "contact_id": "X-1",
                "name": " Иванов  Пётр ",
                "company": "ООО «Тестовый Дом»",
                "created_at": days.at(0.2, "10:15"),
                "source_id": "google_ads",
                "updated_at": early,
            },
            # Ties: the same row twice, and two that differ in the address alone.
            {
                "contact_id": "X-1",
                "name": " Иванов  Пётр ",
                "company": "ООО «Тестовый Дом»",
                "created_at": days.at(0.2, "10:15"),
                "source_id": "google_ads",
                "updated_at": early,
            },
            {
                "contact_id": "X-2",
                "name": "Громов Лев",
                "email": "a@mail.example",
                "created_at": days.at(0.25, "12:00Z"),
                "source_id": "referral",
                "updated_at": late,
            },
            {
                "contact_id": "X-2",
                "name": "Громов Лев",
                "email": "b@mail.example",
                "created_at": days.at(0.25, "12:00Z"),
                "source_id": "referral",
                "updated_at": late,
            },
            # Without updated_at it is the oldest version, however late it comes.
            {"contact_id": "10003", "name": "Старое Имя", "created_at": days.at(0.01)},
            {
                "contact_id": "X-3",
                "name": "Удалённый",
                "created_at": days.day(0.3),
                "source_id": "cold",
            },
            {"contact_id": "X-3", "is_deleted": "да"},
            {"contact_id": "X-3", "is_deleted": "YES", "updated_at": late},
            {"contact_id": "X-4", "name": "Без даты"},
            {"contact_id": "X-5", "name": "Вчерашний", "created_at": "вчера"},
            {"contact_id": "X-6", "name": "Древний", "created_at": "1969-12-31T20:59:59Z"},
            {"contact_id": "X-7", "name": "Будущий", "created_at": "2100-01-01 00:00:00"},
            {"contact_id": None, "name": "Никто", "created_at": early},
            {
                "contact_id": "X-8",
                "name": "Дробный",
                "created_at": days.at(0.3, "09:30:15.1234567"),
                "source_id": "no_such_source",
                "updated_at": "0000-00-00 00:00:00",
            },
        ],
        "crm.contact_phones": [
            {"contact_id": "X-1", "phone": " +7 (943) 000-00-01 "},
            # Shared: by two contacts, written in two ways.
            {"contact_id": "X-2", "phone": "8 943 000 00 01 доб. 12"},
            {"contact_id": "X-2", "phone": "810 49 30 0000 0001"},
            {"contact_id": "X-2", "phone": "00375290000001"},
            {"contact_id": "X-8", "phone": "9430000002, спросить Олю"},
            {"contact_id": "X-8", "phone": "+7-943-000-00-03 ext 5"},
            {"contact_id": "X-8", "phone": "8(943)0000004#7"},
            {"contact_id": "X-8", "phone": "100-20-30"},
            {"contact_id": "X-8", "phone": "нет"},
            {"contact_id": "X-8", "phone": "12345"},
            {"contact_id": "X-99", "phone": "+79430000009"},
            {"contact_id": "X-8", "phone": "  "},
        ],
    }


def _leads(days: Days) -> Rows:
    at = days.at(0.3)
    return {
        "crm.leads": [
            # Broken references: owner, source and contact that do not exist.
            {
                "lead_id": "X-1",
                "contact_id": "X-1",
                "manager_id": "m-99",
                "source_id": "banner",
                "created_at": at,
                "taken_at": days.at(0.3, "12:00:00+0300"),
                "is_target": "Y",
                "qualified_at": days.at(0.3, "10:40:00+01"),
                "комментарий": "завёл вручную",
            },
            {
                "lead_id": "X-2",
                "contact_id": "X-77",
                "manager_id": " m-05\n",
                "source_id": "google_ads",
                "created_at": days.at(0.32, "09:00:00"),
            },
            # Optional values that do not read, and one out of range.
            {
                "lead_id": "X-3",
                "contact_id": "X-2",
                "manager_id": "m-06",
                "created_at": at,
                "is_target": "возможно",
                "qualified_at": "позже",
                "taken_at": "1900-01-01",
            },
            {
                "lead_id": "X-4",
                "contact_id": "X-8",
                "manager_id": "m-06",
                "created_at": at,
                "taken_at": days.at(0.3, "11:29:59+03:00"),
            },
            {
                "lead_id": "X-5",
                "contact_id": "X-8",
                "manager_id": "m-06",
                "created_at": at,
                "qualified_at": days.at(0.2),
            },
            {"lead_id": "X-6", "contact_id": "X-8", "manager_id": "m-06"},
            {"lead_id": "X-7", "contact_id": "X-8", "manager_id": "m-06", "created_at": "32 мая"},
            # A bad version does not hide the good one before it.
            {
                "lead_id": "20005",
                "created_at": days.at(0.05),
                "taken_at": days.at(0.01),
                "updated_at": days.at(0.9),
            },
            {"lead_id": "X-8", "contact_id": "X-8", "manager_id": "m-06", "created_at": at},
            {"lead_id": "X-8", "is_deleted": "t", "updated_at": days.at(0.7)},
            {
                "lead_id": "X-10",
                "contact_id": "X-8",
                "manager_id": "m-06",
                "source_id": "unknown",
                "created_at": at,
                "is_deleted": "пока нет",
            },
            # No time of loading.
            {"lead_id": "X-9", "created_at": at, "_loaded_at": None},
        ]
    }


def _deals(days: Days) -> Rows:
    at = days.at(0.35)
    base: Row = {
        "pipeline_id": "sales",
        "stage_id": "s_offer",
        "created_at": at,
        "manager_id": "m-07",
    }
    return {
        "crm.deals": [
            # Negative cycle: the lead was added after the deal was won.
            {
                **base,
                "deal_id": "X-1",
                "lead_id": "X-1",
                "stage_id": "s_won",
                "amount": "120000",
                "created_at": days.at(0.2),
                "closed_at": days.at(0.25),
                "deal_type": "NEW",
            },
            # No rate for this currency; a kind nobody knows; an amount that does not read.
            {
                **base,
                "deal_id": "X-2",
                "contact_id": "X-2",
                "amount": "2500000",
                "currency": " kzt",
                "deal_type": "бартер",
                "stage_id": "s_won",
                "closed_at": days.at(0.4),
            },
            {
                **base,
                "deal_id": "X-3",
                "contact_id": "X-2",
                "amount": "12 500,00",
                "expected_close_on": "скоро",
            },
            {
                **base,
                "deal_id": "X-4",
                "contact_id": "X-78",
                "manager_id": "m-98",
                "stage_id": "no_such_stage",
                "amount": "5e4",
            },
            {
                **base,
                "deal_id": "X-5",
                "pipeline_id": "pilot",
                "stage_id": "p_try",
                "amount": "NaN",
            },
            {
                **base,
                "deal_id": "X-6",
                "pipeline_id": "ghost",
                "stage_id": "g_wait",
                "amount": "+700.5",
            },
            # Parents that are quarantined, deleted, out of reach.
            {
                **base,
                "deal_id": "X-12",
                "lead_id": "X-6",
                "source_id": "banner",
                "closed_at": "1900-01-01",
            },
            {**base, "deal_id": "X-7", "amount": "-1"},
            {**base, "deal_id": "X-8", "closed_at": days.at(0.1), "stage_id": "s_lost"},
            {**base, "deal_id": "X-9", "stage_id": None},
            {**base, "deal_id": "X-10", "amount": "99"},
            {"deal_id": "X-10", "is_deleted": "1", "updated_at": days.at(0.8)},
            {**base, "deal_id": "X-11", "created_at": "2026-13-45"},
        ],
        "crm.deal_stage_history": [
            # Orphans: of a deal that never was, and of a deleted one.
            {"event_id": "X-1", "deal_id": "X-500", "stage_id": "s_new", "entered_at": at},
            {"event_id": "X-2", "deal_id": "X-10", "stage_id": "s_new", "entered_at": at},
            {
                "event_id": "X-3",
                "deal_id": "X-1",
                "stage_id": "s_new",
                "entered_at": days.at(0.2),
                "manager_id": "m-97",
            },
            {
                "event_id": "X-4",
                "deal_id": "X-1",
                "stage_id": "no_such_stage",
                "entered_at": days.at(0.22),
            },
            {"event_id": "X-5", "deal_id": "X-1", "stage_id": "s_new", "entered_at": "утром"},
            {"event_id": "X-6", "deal_id": None, "stage_id": "s_new", "entered_at": at},
            {
                "event_id": "X-7",
                "deal_id": "X-1",
                "stage_id": "s_new",
                "entered_at": "2101-01-01T00:00:00Z",
            },
        ],
    }


def _meetings(days: Days) -> Rows:
    at, later = days.at(0.4), days.at(0.42)
    base: Row = {"lead_id": "X-1", "set_by": "m-99", "held_by": "m-05", "set_at": at}
    return {
        "crm.meetings": [
            {**base, "meeting_id": "X-1", "kind": "обед", "held_at": later},
            {**base, "meeting_id": "X-2", "kind": " DEMO ", "scheduled_for": "после обеда"},
            {
                **base,
                "meeting_id": "X-3",
                "lead_id": "X-404",
                "deal_id": "X-405",
                "contact_id": "X-3",
                "held_by": "m-99",
                "kind": "Visit",
                "cancelled_at": "отмена",
            },
            {**base, "meeting_id": "X-4", "held_at": days.at(0.3)},
            {**base, "meeting_id": "X-5", "confirmed_at": days.at(0.3)},
            {**base, "meeting_id": "X-6", "set_at": None},
            {**base, "meeting_id": "X-7", "held_at": later},
            {"meeting_id": "X-7", "is_deleted": "true", "updated_at": days.at(0.9)},
        ]
    }


def _touches(days: Days) -> Rows:
    at = days.at(0.45)
    return {
        "crm.activities": [
            {"activity_id": "X-1", "kind": "fax", "manager_id": "m-05", "happened_at": at},
            {
                "activity_id": "X-2",
                "kind": "E-Mail",
                "direction": "Outgoing",
                "manager_id": "m-05",
                "lead_id": "X-1",
                "happened_at": at,
            },
            {
                "activity_id": "X-3",
                "kind": " Proposal",
                "direction": "OUTBOUND",
                "manager_id": "m-06",
                "deal_id": "X-3",
                "happened_at": days.at(0.45, "15:00"),
            },
            {
                "activity_id": "X-4",
                "kind": "message",
                "direction": "incoming",
                "manager_id": "m-96",
                "contact_id": "X-79",
                "happened_at": at,
            },
            {
                "activity_id": "X-9",
                "kind": "task",
                "lead_id": "X-404",
                "deal_id": "X-404",
                "happened_at": at,
                "updated_at": "сегодня",
            },
            {"activity_id": "X-5", "kind": "email", "direction": "sideways", "happened_at": at},
            {"activity_id": "X-6", "kind": "  ", "happened_at": at},
            {"activity_id": "X-7", "kind": "task", "manager_id": "m-05"},
            {"activity_id": "X-8", "kind": "task", "manager_id": "m-05", "happened_at": at},
            {"activity_id": "X-8", "is_deleted": "yes", "updated_at": days.at(0.9)},
        ],
        "crm.surveys": [
            # Column names in another case, and a score with a fraction of nothing.
            {"SURVEY_ID": "X-1", "CONTACT_ID": "X-2", "SCORE": "5.0", "ANSWERED_AT": at},
            {
                "SURVEY_ID": "X-2",
                "CONTACT_ID": "X-404",
                "DEAL_ID": "X-404",
                "MANAGER_ID": "m-95",
                "SCORE": "4",
                "ANSWERED_AT": days.day(0.45),
            },
            {"SURVEY_ID": "X-3", "SCORE": "6", "ANSWERED_AT": at},
            {"SURVEY_ID": "X-4", "SCORE": "0", "ANSWERED_AT": at},
            {"SURVEY_ID": "X-5", "SCORE": "отлично", "ANSWERED_AT": at},
            {"SURVEY_ID": "X-6", "SCORE": None, "ANSWERED_AT": at},
        ],
    }


def _payments(days: Days) -> Rows:
    at = days.at(0.5)
    base: Row = {"deal_id": "X-1", "paid_at": at, "amount": "120000", "kind": "payment"}
    return {
        "crm.payments": [
            {**base, "payment_id": "X-1", "kind": " Payment"},
            {**base, "payment_id": "X-2", "deal_id": "X-2", "amount": "2500000", "currency": "kzt"},
            {**base, "payment_id": "X-3", "deal_id": "X-404", "amount": "3.5e3", "currency": "rub"},
            {
                **base,
                "payment_id": "X-13",
                "deal_id": "X-10",
                "contact_id": "X-3",
                "amount": "4500",
            },
            {**base, "payment_id": "X-4", "deal_id": None, "amount": "900", "kind": "REFUND"},
            {**base, "payment_id": "X-5", "amount": "0"},
            {**base, "payment_id": "X-6", "amount": "-500"},
            {**base, "payment_id": "X-7", "amount": "12 500,00"},
            {**base, "payment_id": "X-8", "kind": "бонус"},
            {**base, "payment_id": "X-9", "paid_at": "1969-07-20"},
            {**base, "payment_id": "X-10", "paid_at": None},
            {**base, "payment_id": "X-11", "amount": "777"},
            {"payment_id": "X-11", "is_deleted": "TRUE", "updated_at": days.at(0.9)},
            {**base, "payment_id": "X-12", "amount": "123456789012345678"},
        ]
    }


def _plans(days: Days) -> Rows:
    month = days.month()
    base: Row = {"metric": "deals_won", "period": "month", "period_start": month, "target": "5"}
    return {
        "crm.quotas": [
            # An orphan; a metric nobody counts; a metric in a person's spelling.
            {**base, "manager_id": "m-404"},
            {**base, "manager_id": "m-12", "metric": "Настроение отдела"},
            {**base, "manager_id": "m-12", "metric": " Won-Amount", "period": "Month"},
            {**base, "manager_id": "m-05", "period_start": days.month(1)},
            {**base, "manager_id": "m-05", "period": "week", "period_start": "2026-04-07"},
            {**base, "manager_id": "m-05", "period": "decade"},
            {**base, "manager_id": "m-05", "target": "-5"},
            {**base, "manager_id": "m-05", "target": "много"},
            {**base, "manager_id": "m-05", "metric": None},
        ]
    }


def _telephony(days: Days) -> Rows:
    at, end = days.at(0.55), days.at(0.55, "11:35:00+03:00")
    base: Row = {
        "direction": "in",
        "from_number": "+79430000001",
        "to_number": "+74950001010",
        "extension": "106",
        "started_at": at,
        "ended_at": end,
        "disposition": "no_answer",
    }
    return {
        "telephony.calls": [
            {**base, "call_id": "X-1", "direction": "Inbound", "disposition": "No-Answer"},
            {
                **base,
                "call_id": "X-2",
                "direction": "OUTGOING",
                "disposition": "VoiceMail",
                "from_number": "+74950001010",
                "to_number": "8 (943) 000-00-01",
            },
            {
                **base,
                "call_id": "X-3",
                "extension": "999",
                "disposition": "Answered",
                "answered_at": days.at(0.55, "11:30:20+03:00"),
                "talk_seconds": "280.0",
            },
            {
                **base,
                "call_id": "X-4",
                "extension": " 106 ",
                "disposition": "answered",
                "answered_at": days.at(0.55, "11:30:10+03:00"),
                "talk_seconds": "пять минут",
            },
            {
                **base,
                "call_id": "X-5",
                "from_number": "anonymous",
                "ended_at": "скоро",
                "answered_at": "2100-01-01",
            },
            {**base, "call_id": "X-6", "talk_seconds": "-5"},
            {**base, "call_id": "X-7", "ended_at": days.at(0.5)},
            {**base, "call_id": "X-8", "answered_at": days.at(0.5)},
            {**base, "call_id": "X-9", "disposition": "ringing"},
            {**base, "call_id": "X-10", "direction": None},
            {**base, "call_id": "X-11", "started_at": "2026/07/01 10:00"},
            {**base, "call_id": "X-12", "talk_seconds": "99999999999999999999"},
            # Several rules broken at once, and a deletion that is not bare.
            {"call_id": "X-13", "direction": "вбок", "disposition": None, "started_at": "никогда"},
            {**base, "call_id": "X-14", "is_deleted": "yes"},
        ],
        "telephony.extensions": [
            {"extension": "150", "valid_from": days.at(0.1), "manager_id": "m-403"},
            {
                "extension": "151",
                "valid_from": days.at(0.5),
                "manager_id": "m-05",
                "valid_to": days.at(0.5),
            },
            {
                "extension": "153",
                "valid_from": days.at(0.5),
                "manager_id": "m-07",
                "valid_to": "бессрочно",
            },
            {"extension": "152", "valid_from": days.at(0.5), "manager_id": None},
        ],
        "telephony.call_evaluations": [
            # A call that never was: credited to nobody.
            {
                "call_id": "X-404",
                "evaluated_at": days.at(0.56),
                "evaluator": "human",
                "score": "71.5",
                "needs_found": "да",
                "next_step_agreed": "N",
            },
            {"call_id": "X-3", "evaluated_at": days.at(0.56), "score": "100.5"},
            {"call_id": "X-4", "evaluated_at": days.at(0.56), "score": "хорошо"},
            {"call_id": "X-5", "evaluated_at": None, "score": "50"},
        ],
    }


def _money(days: Days) -> Rows:
    return {
        "marketing.ad_spend": [
            {
                "spend_date": days.day(0.6),
                "source_id": "forum",
                "campaign": " ",
                "cost": "1500.00",
                "currency": "rub",
                "clicks": "12.0",
                "impressions": "1,5",
            },
            {
                "spend_date": days.day(0.6),
                "source_id": "banner",
                "campaign": "ТВ",
                "cost": "90000",
                "currency": "KZT",
                "clicks": "много",
            },
            {"spend_date": days.day(0.61), "source_id": "forum", "cost": "-1"},
            {"spend_date": "01.07.2026", "source_id": "forum", "cost": "10"},
            {"spend_date": days.day(0.61), "source_id": None, "cost": "10"},
        ],
        "finance.sales_costs": [
            {"month": days.month(1), "team": "Продажи", "cost": "1000"},
            {"month": days.month(), "team": "Архив", "cost": "-1000"},
            {"month": days.month() + "T00:00:00", "team": "Бэк-офис ", "cost": "95000.50"},
        ],
        "finance.exchange_rates": [
            {"rate_date": days.day(0.5), "currency": "GBP", "rate": "0"},
            {"rate_date": days.day(0.5), "currency": "usd\t", "rate": "81,50"},
            {"rate_date": "1969-01-01", "currency": "EUR", "rate": "90"},
            # The base currency's rate is one, whatever stands here.
            {"rate_date": days.day(0.5), "currency": "RUB", "rate": "2"},
        ],
    }


def from_frame(days: Days) -> Rows:
    """Rows of the upload from a data frame: whole numbers as floating ones, NaN for nothing."""
    at = days.at(0.65)
    return {
        "crm.deals": [
            {
                "deal_id": 900001.0,
                "contact_id": 10001.0,
                "lead_id": NOTHING,
                "amount": 150000.0,
                "manager_id": "m-07",
                "pipeline_id": "sales",
                "stage_id": "s_offer",
                "created_at": at,
            },
            {
                "deal_id": 900002.0,
                "contact_id": NOTHING,
                "lead_id": 20001.0,
                "amount": NOTHING,
                "manager_id": "m-07",
                "pipeline_id": "sales",
                "stage_id": "s_offer",
                "created_at": at,
            },
        ],
        "telephony.call_evaluations": [
            {"call_id": "X-1", "evaluated_at": at, "score": NOTHING, "needs_found": 1.0},
            {"call_id": "X-2", "evaluated_at": at, "score": float("inf"), "needs_found": NOTHING},
            {"call_id": "X-3", "evaluated_at": at, "score": 64.0, "needs_found": 0.0},
        ],
        "telephony.calls": [
            {
                "call_id": "X-20",
                "direction": "in",
                "from_number": 79430000002.0,
                "extension": 106.0,
                "started_at": at,
                "disposition": "busy",
                "talk_seconds": NOTHING,
            },
            {
                "call_id": "X-21",
                "direction": "out",
                "from_number": NOTHING,
                "extension": NOTHING,
                "started_at": at,
                "disposition": "failed",
                "talk_seconds": 0.0,
            },
        ],
        "finance.exchange_rates": [
            {"rate_date": days.day(0.66), "currency": "CNY", "rate": NOTHING},
        ],
        "crm.quotas": [
            {
                "manager_id": "m-05",
                "metric": "win_rate",
                "period": "month",
                "period_start": days.month(),
                "target": NOTHING,
            },
        ],
    }


def write(department: Department, folder: Path) -> dict[str, int]:
    """Write both uploads below a folder; returns rows by table."""
    calendar = department.calendar
    last = calendar.end
    days = Days(calendar)
    written: dict[str, int] = {}
    for rows, name, back, clock in (
        (by_hand(days), "by-hand", BY_HAND_DAYS, "11:05:00"),
        (from_frame(days), "from-frame", FROM_FRAME_DAYS, "16:40:00"),
    ):
        day = last - timedelta(days=back)
        stem = f"{day.isoformat()}T{clock[:2]}{clock[3:5]}-{name}"
        for table, some in rows.items():
            loaded = f"{day.isoformat()}T{clock}+03:00"
            complete = [{**row, "_loaded_at": row.get("_loaded_at", loaded)} for row in some]
            source, short = table.split(".")
            target = folder / source / short
            written[table] = written.get(table, 0) + write_files(
                [_table(complete)], target, stem, small=True
            )
    return written


def _table(rows: list[Row]) -> pa.Table:
    """Rows as an Arrow table; columns in the order in which they first appear."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _array([row.get(name) for row in rows]) for name in columns})


def _array(cells: list[object]) -> pa.Array:
    is_number = any(isinstance(cell, float) for cell in cells)
    return pa.array(cells, pa.float64() if is_number else pa.string())
