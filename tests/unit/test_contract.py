import pytest

from orchestration.base.errors import WrongUse
from orchestration.raw_zone.contract import load_contract
from tests.conftest import ROOT


def write(tmp_path, name, text):
    path = tmp_path / "dbt_project/models/staging/crm" / f"stg_crm__{name}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def source(table, columns):
    lines = "\n".join(f"          - {column}" for column in columns)
    return f"sources:\n  - name: crm\n    tables:\n      - name: {table}\n        columns:\n{lines}"


def test_the_project_describes_every_table_of_the_contract():
    contract = load_contract(ROOT)
    counts = dict.fromkeys(contract.sources, 0)
    for table in contract.tables.values():
        counts[table.source] += 1
    assert counts == {"crm": 14, "finance": 2, "marketing": 1, "telephony": 4}


def test_every_table_requires_its_key_and_the_time_of_its_load():
    for table in load_contract(ROOT).tables.values():
        assert "_loaded_at" in table.required_columns, table.full_name
        assert any(column.is_key for column in table.columns), table.full_name


@pytest.mark.parametrize(
    ("table", "required"),
    [
        ("crm.leads", {"lead_id", "created_at", "_loaded_at"}),
        ("crm.quotas", {"manager_id", "metric", "period", "period_start", "target", "_loaded_at"}),
        ("marketing.ad_spend", {"spend_date", "source_id", "campaign", "cost", "_loaded_at"}),
    ],
)
def test_required_columns(table, required):
    assert set(load_contract(ROOT).tables[table].required_columns) == required


def test_a_decimal_may_name_its_digits(tmp_path):
    write(
        tmp_path,
        "rates",
        source(
            "rates", ["{name: rate, data_type: 'decimal(18, 8)'}", "{name: a, data_type: text}"]
        ),
    )
    rate, text = load_contract(tmp_path).tables["crm.rates"].columns
    assert (rate.data_type, rate.precision, rate.scale) == ("decimal", 18, 8)
    assert text.data_type == "text"


def test_an_unknown_type_is_refused(tmp_path):
    write(tmp_path, "rates", source("rates", ["{name: rate, data_type: money}"]))
    with pytest.raises(WrongUse, match="column rate has the type money"):
        load_contract(tmp_path)


def test_a_table_described_twice_is_refused(tmp_path):
    for name in ("rates", "rates_again"):
        write(tmp_path, name, source("rates", ["{name: rate, data_type: text}"]))
    with pytest.raises(WrongUse, match=r"describes crm\.rates again"):
        load_contract(tmp_path)


def test_a_directory_without_a_project_is_refused(tmp_path):
    with pytest.raises(WrongUse, match="No raw table is described"):
        load_contract(tmp_path)
