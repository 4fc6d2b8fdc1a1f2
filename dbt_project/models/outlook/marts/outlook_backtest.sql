-- One row per month end, pipeline and method: what was predicted then of the deals that were
-- open and have closed since, and how good that was.

with backtest as (

    select * from {{ source('outlook', 'backtest') }}

),

final as (

    select
        as_of_on,
        pipeline_id,
        method,
        deals,
        won,
        brier,
        log_loss,
        auc,
        mean_predicted,
        win_rate
    from backtest

)

select * from final
