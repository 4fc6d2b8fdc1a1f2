"""Which model a column comes from, in SQL as dbt compiles it."""

import pytest

from orchestration.cli.lineage import Lineage

PAYMENTS = """
with payments as (select * from "build"."staging"."stg_payments"),
final as (
    select paid_on as date_day, manager_id, sum(amount) as revenue,
        count(*) filter (where is_first) as new_customers
    from payments group by 1, 2
)
select * from final
"""
CALLS = "select started_on as date_day, manager_id, count(*) as calls from fct_calls group by 1, 2"
DAILY = """
select date_day, manager_id, revenue, new_customers, 0 as calls from "build"."m"."payments"
union all
select date_day, manager_id, 0 as revenue, null as new_customers, calls from "build"."m"."calls"
"""
MART = """
with daily as (select * from "build"."m"."daily"),
managers as (select manager_id, manager_name from "build"."m"."managers"),
totals as (
    select manager_id, cast(coalesce(sum(daily.revenue), 0) as bigint) as revenue,
        sum(calls) as calls, sum(new_customers) as customers
    from daily group by 1
)
select totals.*, managers.manager_name as name, revenue / nullif(calls, 0) as per_call
from totals inner join managers on totals.manager_id = managers.manager_id
"""
MODELS = {"payments": PAYMENTS, "calls": CALLS, "daily": DAILY, "mart": MART}


@pytest.mark.parametrize(
    ("model", "column", "origin"),
    [
        pytest.param("mart", "revenue", "payments", id="summed, cast and filled under its name"),
        pytest.param("mart", "calls", "calls", id="one part of a union has it"),
        pytest.param("mart", "customers", "mart", id="summed under another name is a new figure"),
        pytest.param("mart", "per_call", "mart", id="computed"),
        pytest.param("mart", "name", "managers", id="renamed, of an unknown table"),
        pytest.param("daily", "new_customers", "payments", id="counted with a filter"),
        pytest.param("daily", "date_day", "daily", id="of several parts of a union"),
        pytest.param("payments", "manager_id", "stg_payments", id="a star of staging"),
        pytest.param("calls", "revenue", None, id="no such column"),
    ],
)
def test_a_column_is_followed_to_the_model_that_computes_it(model, column, origin):
    assert Lineage(MODELS).origin(model, column) == origin
