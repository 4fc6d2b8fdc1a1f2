-- One row per raw table, day and oddity of existing rows: money without a rate, stage
-- history without a deal, quotas without a manager, deals won before their lead came,
-- stays whose beginning is uncertain by more than a day.

with deals as (

    select * from {{ ref('fct_deals') }}

),

deal_amounts as (

    select * from {{ ref('int_deals__amount') }}

),

payments as (

    select * from {{ ref('int_payments__resolved') }}

),

ad_spend as (

    select * from {{ ref('fct_ad_spend') }}

),

sales_costs as (

    select * from {{ ref('fct_sales_costs') }}

),

history as (

    select * from {{ ref('stg_crm__deal_stage_history') }}

),

stage_entries as (

    select * from {{ ref('fct_stage_entries') }}

),

quotas as (

    select * from {{ ref('stg_crm__quotas') }}

),

managers as (

    select * from {{ ref('stg_crm__managers') }}

),

odd_rows as (

    select 'crm.deals' as table_name, deals.created_on as event_on, 'no_rate' as check_name
    from deal_amounts
    inner join deals
        on deal_amounts.deal_id = deals.deal_id
    where deal_amounts.has_no_rate

    union all

    select
        'crm.payments' as table_name,
        {{ local_date('paid_at') }} as event_on,
        'no_rate' as check_name
    from payments
    where has_no_rate

    union all

    select 'marketing.ad_spend' as table_name, spend_date as event_on, 'no_rate' as check_name
    from ad_spend
    where has_no_rate

    union all

    select 'finance.sales_costs' as table_name, month as event_on, 'no_rate' as check_name
    from sales_costs
    where has_no_rate

    union all

    select 'crm.deal_stage_history' as table_name, history.event_on, 'orphan_history' as check_name
    from history
    left join deals
        on history.deal_id = deals.deal_id
    where deals.deal_id is null

    union all

    select 'crm.quotas' as table_name, quotas.event_on, 'orphan_quota' as check_name
    from quotas
    left join managers
        on quotas.manager_id = managers.manager_id
    where managers.manager_id is null

    union all

    select
        'crm.deal_stage_history' as table_name,
        entered_on as event_on,
        'uncertain_entry' as check_name
    from stage_entries
    where is_entry_uncertain

    union all

    select 'crm.deals' as table_name, created_on as event_on, 'negative_cycle' as check_name
    from deals
    where cycle_microseconds < 0

),

final as (

    select
        table_name,
        event_on,
        check_name,
        count(*) as rows
    from odd_rows
    group by 1, 2, 3

)

select * from final
