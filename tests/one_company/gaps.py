"""What each system cannot say, with its reason: every other difference is a fault."""

from __future__ import annotations

from tests.one_company.compare import Gap

_ANSWER_WAITS = "answer_waits answer_wait_seconds avg_answer_wait_seconds"
_CALLS = "calls calls_answered followup_calls talk_seconds"
_CALL_RATES = f"{_CALLS} calls_inbound sales_actions talk_minutes answer_rate"
_RESPONSE = "avg_response_minutes median_response_minutes"
_FIRST_RESPONSE = "first_response_at response_seconds response_working_seconds"
_MEETINGS = "meetings_set call_to_meeting_rate meeting_confirmation_rate meeting_show_rate"
_CYCLE = "cycle_days_won avg_cycle_days median_cycle_days"
_HELD = "set_meetings_held set_meetings_paid held_to_paid_rate"
_SPEED = (
    f"response_seconds response_working_seconds {_RESPONSE} avg_response_working_minutes "
    "median_response_working_minutes"
)
_ORPHANS = Gap(
    "A deleted deal's history stays in the zone; marts leave it out and count it.",
    {"crm.deal_stage_history": "+:1"},
    {"data_quality_daily": "+"},
)

AMOCRM = (
    _ORPHANS,
    Gap(
        "The first stage has no event of its own: it is unknown of deals that are older than the "
        "oldest event.",
        {"crm.deal_stage_history": "-:1"},
        {
            "fct_stage_entries": "- stage_id stage_kind next_stage_id entered_at entered_on "
            "exited_at exited_on stay_seconds certain_stay_seconds",
            "fct_deal_stages": "has_entered",
            "fct_pipeline_days": "-",
            "pipeline_daily": "-",
            "funnel_conversion": "entered skipped median_stay_hours",
        },
    ),
)

_BITRIX = (
    _ORPHANS,
    Gap(
        "History names nobody; only the last mover of a deal is known.",
        {"crm.deal_stage_history": "manager_id:14"},
    ),
    Gap(
        "A meeting that did not take place is deleted by people, and leaves no trace.",
        {"crm.meetings": "-:1"},
        {
            "fct_meetings": "-",
            "kpi_daily": "-",
            "kpi_company_period": _MEETINGS,
            "kpi_manager_period": _MEETINGS,
            "kpi_lead_generator_period": f"- {_MEETINGS}",
            "kpi_source_period": "meetings_set",
            "kpi_diagnostics": "current_value",
            "quota_attainment": "actual actual_to_date attainment pace",
        },
    ),
    Gap(
        "Activities name the contact themselves, where others leave it to the deal.",
        {"crm.activities": "contact_id:6", "crm.meetings": "contact_id:2"},
    ),
    Gap(
        "Incoming mails and messages have somebody responsible.",
        {"crm.activities": "manager_id:2"},
        {"fct_activities": "manager_id"},
    ),
)
BITRIX24 = (
    *_BITRIX,
    Gap(
        "An activity belongs to one object: a chat to the lead, a mail or a meeting to the deal.",
        {"crm.activities": "deal_id:2 lead_id:3", "crm.meetings": "lead_id:3"},
        {"fct_activities": "deal_id", "fct_meetings": "lead_id"},
    ),
)
BITRIX24_SIMPLE = _BITRIX

HUBSPOT = (
    _ORPHANS,
    Gap(
        "Activities name deal and contact; the lead is the deal's.",
        {
            "crm.activities": "contact_id:6 lead_id:5",
            "crm.meetings": "contact_id:3 lead_id:4",
        },
    ),
    Gap(
        "Messages have no direction, and count as sent.",
        {"crm.activities": "direction:2"},
        {
            "fct_activities": "direction",
            "fct_leads": "first_response_at response_seconds response_working_seconds",
            "kpi_company_period": "avg_response_minutes median_response_minutes "
            "messages_sent sales_actions",
            "kpi_daily": "messages_sent",
            "kpi_manager_period": "avg_response_minutes median_response_minutes "
            "messages_sent sales_actions",
            "speed_to_lead": "avg_response_minutes avg_response_working_minutes "
            "median_response_minutes median_response_working_minutes "
            "response_seconds response_working_seconds",
        },
    ),
    Gap(
        "Incoming mails have an owner.",
        {"crm.activities": "manager_id:2"},
        {"fct_activities": "manager_id"},
    ),
    Gap(
        "An open deal always has a day on which it should close; of a closed one it is unknown.",
        {"crm.deals": "expected_close_on:5"},
        {"fct_deals": "expected_close_on", "open_deals": "expected_close_on"},
    ),
    Gap(
        "A deal without a lead of its own has its contact's newest.",
        {"crm.deals": "lead_id:2"},
        {
            "fct_deal_stages": "source_id",
            "fct_deals": "cycle_days cycle_microseconds lead_id source_id",
            "fct_meetings": "lead_id",
            "fct_payments": "source_id",
            "fct_pipeline_days": "+ -",
            "fct_source_days": "+ -",
            "fct_stage_entries": "source_id",
            "funnel_conversion": "+ -",
            "kpi_company_period": "avg_cycle_days cycle_days_won median_cycle_days",
            "kpi_daily": "+ - cycle_days_won deals_created "
            "deals_won revenue revenue_repeat won_amount",
            "kpi_manager_period": "+ avg_cycle_days cycle_days_won median_cycle_days",
            "kpi_source_period": "+ - deals_created deals_won revenue",
        },
    ),
    Gap("Only leads have marks of campaigns.", {"crm.deals": "source_id:1"}),
    Gap("Sources have names of HubSpot's own.", {"crm.sources": "name:4"}),
    Gap(
        "Ratings are read, which the others do not have.",
        {"crm.surveys": "+:1"},
        {
            "fct_surveys": "+",
            "kpi_company_period": "csat survey_score surveys surveys_positive",
            "kpi_manager_period": "csat survey_score surveys surveys_positive",
        },
    ),
)

BLUESALES = (
    _ORPHANS,
    Gap(
        "A customer's first contact is a day without a time.",
        {"crm.contacts": "created_at:9", "crm.leads": "created_at:9", "crm.deals": "created_at:11"},
        {
            "dim_contact": "created_at",
            "fct_leads": f"created_at created_hour {_FIRST_RESPONSE}",
            "fct_deals": "created_at cycle_microseconds cycle_days",
            "speed_to_lead": "- +",
            # A call before the lead on its day is the lead's now.
            "fct_call_sessions": "lead_id",
            "fct_calls": "lead_id",
            "kpi_daily": "cycle_days_won",
            "kpi_company_period": f"{_RESPONSE} responded_in_5min_rate {_CYCLE}",
            "kpi_manager_period": f"{_RESPONSE} responded_in_5min_rate {_CYCLE}",
        },
    ),
    Gap(
        "There is no history: stages are what the nightly loads saw, dated to the day or the load.",
        {
            "crm.deal_stage_history": "-:7 entered_at:13 entered_after:15 entered_at_quality:26",
            "crm.leads": "taken_at:3 qualified_at:2",
            "crm.deals": "closed_at:4",
        },
        {
            "data_quality_daily": "+",
            "fct_leads": "taken_at qualified_at",
            "fct_deals": "closed_at",
            "fct_deal_stages": "has_entered",
            "fct_pipeline_days": "- +",
            "fct_stage_entries": "- stage_id stage_kind next_stage_id entered_at entered_on "
            "entered_after entered_at_quality is_entry_uncertain exited_at exited_on stay_seconds "
            "certain_stay_seconds movement",
            "funnel_conversion": "- + entered skipped median_stay_hours",
            "pipeline_daily": "- entered exited",
            "kpi_company_period": "open_deals open_amount",
            "kpi_manager_period": "open_deals open_amount",
        },
    ),
    Gap(
        "Nobody is named who moved a customer.",
        {"crm.deal_stage_history": "manager_id:24"},
    ),
    Gap(
        "There are no companies: a customer's firm, and its telephones, are unknown.",
        {"crm.contacts": "-:2 company:2", "crm.contact_phones": "-:2"},
        {
            "dim_contact": "- company",
            "customer_value": "company",
            "fct_call_sessions": "contact_id is_first_contact",
            "fct_calls": "contact_id is_first_contact",
            "kpi_daily": "first_calls",
            "kpi_company_period": "first_calls",
            "kpi_manager_period": "first_calls",
        },
    ),
    Gap(
        "A customer is the contact: his source is known, and he is deleted with his sale.",
        {"crm.contacts": "source_id:8", "crm.meetings": "contact_id:4"},
        {
            "dim_contact": "source_id",
            "customer_value": "source_id source_name",
            "fct_call_sessions": "source_id",
            "fct_calls": "source_id",
            "call_waiting": "- +",
            "missed_call_recovery": "- +",
            "fct_customer_base": "- +",
            "fct_source_days": "- +",
            "kpi_daily": "- + calls calls_inbound calls_answered calls_60s talk_seconds",
            "kpi_lead_generator_period": "calls_60s talk_minutes",
        },
    ),
    Gap(
        "A later order names its customer, who is a lead.",
        {"crm.deals": "lead_id:2"},
        {
            "fct_deals": "lead_id source_id",
            "fct_deal_stages": "source_id",
            "fct_stage_entries": "source_id",
            "fct_payments": "source_id",
            "kpi_daily": "revenue revenue_repeat won_amount deals_won",
            "kpi_source_period": "- + deals_created deals_won revenue",
        },
    ),
    Gap(
        "The amount is that of the first order that is not cancelled.",
        {"crm.deals": "amount:2"},
        {
            "fct_deals": "amount",
            "fct_stage_entries": "amount",
            "fct_pipeline_days": "open_amount open_deals_without_amount",
            "pipeline_daily": "open_amount open_deals_without_amount",
            "lost_reasons": "lost_amount",
            "unpriced_daily": "+",
        },
    ),
    Gap(
        "There are no meetings: entries into stages stand for them, set and held by the owner, "
        "without kind and plan; a stage that was skipped on the way gives one too.",
        {"crm.meetings": "+:1 set_at:1 held_at:1 set_by:3 kind:1 scheduled_for:4"},
        {
            "fct_meetings": "+ set_at held_at set_by kind scheduled_for",
            "kpi_daily": "meetings_set meetings_held set_meetings_held set_meetings_paid",
            "kpi_company_period": f"{_MEETINGS} {_HELD} meetings_held",
            "kpi_manager_period": f"- {_MEETINGS} {_HELD} meetings_held",
            "kpi_lead_generator_period": f"- + {_MEETINGS} {_HELD}",
            "kpi_source_period": "meetings_set set_meetings_held",
            "kpi_diagnostics": "- +",
            "quota_attainment": "actual actual_to_date attainment pace",
        },
    ),
    Gap(
        "An order's status has no date: it was paid before the load that saw it, on the same day.",
        {"crm.payments": "paid_at:4 paid_after:3 paid_at_quality:4"},
        {
            "fct_payments": "paid_at paid_after paid_at_quality",
            "fct_deals": "first_paid_at",
            "fct_meetings": "first_paid_at",
        },
    ),
    Gap(
        "The API gives no mails and messages.",
        {"crm.activities": "-:6"},
        {
            "fct_activities": "-",
            "kpi_daily": "emails_sent messages_sent",
            "kpi_company_period": "emails_sent messages_sent sales_actions",
            "kpi_manager_period": "emails_sent messages_sent sales_actions",
        },
    ),
    Gap("The pipeline has no name of its own.", {"crm.pipelines": "name:1"}),
)

_NO_QUEUE = Gap(
    "Calls name no queue.", {"conversations": "queue:5"}, {"fct_call_sessions": "queue"}
)
_RINGS_ONLY = Gap(
    "A conversation begins with the first ring: what a customer waited in the queue before it is "
    "not among its legs.",
    {"conversations": "started_at:5"},
    {
        "fct_call_sessions": "started_at started_on started_hour wait_seconds recovery_seconds",
        "call_waiting": "- + answer_wait_seconds avg_answer_wait_seconds missed_wait_seconds "
        "avg_missed_wait_seconds",
        # One of them waits over midnight, and is of the next day.
        "fct_calls": "session_started_on session_started_hour",
        "calls_by_hour": "- +",
        "kpi_daily": f"+ {_CALLS} calls_inbound",
        "kpi_company_period": f"sessions {_CALL_RATES} {_RESPONSE} responded_in_5min_rate",
        "kpi_manager_period": f"{_CALL_RATES} {_RESPONSE} responded_in_5min_rate",
        "kpi_lead_generator_period": "- +",
        "fct_leads": _FIRST_RESPONSE,
        "speed_to_lead": f"{_SPEED} leads_answered_in_5min responded_in_5min_rate",
        "missed_call_recovery": "recovery_seconds avg_recovery_minutes",
    },
)
ASTERISK_SQL = (
    Gap(
        "The line of an outbound call is its trunk.",
        {"conversations": "line:4"},
        {"fct_call_sessions": "line"},
    ),
)
ASTERISK_CSV = (
    Gap(
        "cdr_csv has no dialled number, and the line of an outbound call is its trunk.",
        {"conversations": "line:14"},
        {"fct_call_sessions": "line"},
    ),
)
MANGO = (_NO_QUEUE, _RINGS_ONLY)
UIS = (_NO_QUEUE,)
ZADARMA = (
    _NO_QUEUE,
    Gap(
        "A row has its beginning and the seconds of talk, not its answer and its end.",
        {"conversations": "ended_at:14", "rings": "answered_at:9 ended_at:15"},
        {
            "fct_call_sessions": "ended_at answered_at wait_seconds",
            "call_waiting": f"{_ANSWER_WAITS} missed_waits missed_wait_seconds "
            "avg_missed_wait_seconds",
        },
    ),
    Gap(
        "The line of an outbound call is unknown.",
        {"conversations": "line:4"},
        {"fct_call_sessions": "line"},
    ),
)
TWILIO = (
    _NO_QUEUE,
    Gap(
        "A call's beginning and end are known, not its answer.",
        {"rings": "answered_at:9"},
        {"fct_call_sessions": "answered_at wait_seconds", "call_waiting": _ANSWER_WAITS},
    ),
    Gap(
        "The customer's own leg is a row, and begins before the telephone rings.",
        {"conversations": "started_at:4"},
        {
            "fct_call_sessions": "started_at recovered_at",
            "call_waiting": "missed_wait_seconds avg_missed_wait_seconds",
            "fct_leads": _FIRST_RESPONSE,
            "speed_to_lead": _SPEED,
            "kpi_company_period": _RESPONSE,
            "kpi_manager_period": _RESPONSE,
        },
    ),
)
