{#
  The days that changes in `int_pipeline__balances` touch. A balance that only lasts until another day
  than before touches the days between; one whose figures changed, all of its days.
#}
{% macro days_of_changed_balances() -%}
    select dim_date.date_day
    from (
        select
            case when count(*) = 2 then min(ends_on) else moved_on end as first_day,
            max(ends_on) as end_day
        from (
            select *, coalesce(next_moved_on, date '9999-12-31') as ends_on
            from changes
        )
        group by
            stage_id, manager_id, source_id, moved_on, entered, exited,
            open_deals, open_amount, open_deals_without_amount
    ) as touched
    inner join dim_date
        on dim_date.date_day >= touched.first_day and dim_date.date_day < touched.end_day
{%- endmacro %}
