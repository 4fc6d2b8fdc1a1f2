-- The least: the columns that the script by hand reads, read once and thrown away.
select count(*), min(columns([
    'call_id', 'linked_id', 'direction', 'from_number', 'to_number', 'extension', 'started_at',
    'answered_at', 'ended_at', 'disposition', 'talk_seconds', 'is_deleted', '_loaded_at'
]))
from read_parquet(getvariable('raw') || '/telephony/calls/*.parquet');

select count(*), min(columns(*))
from read_parquet(getvariable('raw') || '/telephony/call_evaluations/*.parquet');

select count(*), min(columns(['contact_id', 'phone', 'updated_at', 'is_deleted', '_loaded_at']))
from read_parquet(getvariable('raw') || '/crm/contact_phones/*.parquet');

select count(*), min(columns([
    'contact_id', 'created_at', 'source_id', 'updated_at', 'is_deleted', '_loaded_at'
]))
from read_parquet(getvariable('raw') || '/crm/contacts/*.parquet');

select count(*), min(columns([
    'lead_id', 'contact_id', 'manager_id', 'source_id', 'created_at', 'taken_at', 'is_target',
    'qualified_at', 'updated_at', 'is_deleted', '_loaded_at'
]))
from read_parquet(getvariable('raw') || '/crm/leads/*.parquet');

select count(*), min(columns([
    'deal_id', 'lead_id', 'contact_id', 'manager_id', 'stage_id', 'source_id', 'amount',
    'currency', 'deal_type', 'created_at', 'closed_at', 'updated_at', 'is_deleted', '_loaded_at'
]))
from read_parquet(getvariable('raw') || '/crm/deals/*.parquet');

select count(*), min(columns([
    'event_id', 'deal_id', 'stage_id', 'entered_at', 'updated_at', 'is_deleted', '_loaded_at'
]))
from read_parquet(getvariable('raw') || '/crm/deal_stage_history/*.parquet');

select count(*), min(columns(*)) from read_parquet(getvariable('raw') || '/crm/meetings/*.parquet');

select count(*), min(columns(*))
from read_parquet(getvariable('raw') || '/crm/activities/*.parquet');

select count(*), min(columns(*)) from read_parquet(getvariable('raw') || '/crm/payments/*.parquet');

select count(*), min(columns(*)) from read_parquet(getvariable('raw') || '/crm/surveys/*.parquet');
