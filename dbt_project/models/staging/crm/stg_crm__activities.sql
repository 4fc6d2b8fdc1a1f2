{{ current_versions('crm', 'activities', partition_month='event_on') }}
