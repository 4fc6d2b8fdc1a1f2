import json
from datetime import date

import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.settings import load_settings, parse_vars
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    for name in ("RAW_DIR", "DATA_DIR", "THREADS", "DBT_VARS", "POSTGRES_URL"):
        monkeypatch.delenv(f"VORONKA_{name}", raising=False)
    monkeypatch.setenv("VORONKA_PROJECT_DIR", str(tmp_path / "project"))
    monkeypatch.chdir(tmp_path)


def test_without_a_raw_zone_the_demo_is_taken(tmp_path):
    settings = load_settings()
    assert settings.raw_zone == str(tmp_path / "project/seeds/demo/raw")
    assert (settings.raw_origin, settings.is_demo) == ("demo", True)


def test_data_raw_comes_before_the_demo(tmp_path):
    (tmp_path / "project/data/raw").mkdir(parents=True)
    settings = load_settings()
    assert settings.raw_zone == str(tmp_path / "project/data/raw")
    assert (settings.raw_origin, settings.is_demo) == ("data/raw", False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("../exports", "exports"), ("exports", "project/exports"), ("", "project/seeds/demo/raw")],
)
def test_a_relative_raw_zone_is_relative_to_the_project(monkeypatch, tmp_path, given, expected):
    monkeypatch.setenv("VORONKA_RAW_DIR", given)
    assert load_settings().raw_zone == str(tmp_path / expected)


def test_an_object_store_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("VORONKA_RAW_DIR", "s3://bucket/raw/")
    assert load_settings().raw_zone == "s3://bucket/raw"


def test_the_state_is_below_the_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("VORONKA_PROJECT_DIR", str(ROOT))
    monkeypatch.setenv("VORONKA_DATA_DIR", str(tmp_path / "elsewhere"))
    settings = load_settings()
    assert settings.published_file == tmp_path / "elsewhere/published/voronka.duckdb"
    assert settings.dbt_environment()["VORONKA_DATA_DIR"] == str(tmp_path / "elsewhere")


def test_an_option_comes_before_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("VORONKA_RAW_DIR", "/one")
    assert load_settings(raw_dir="/two").raw_zone == "/two"


@pytest.mark.parametrize(
    ("name", "value"), [("THREADS", "many"), ("THREADS", "0"), ("DBT_VARS", "{churn_days")]
)
def test_a_value_that_cannot_be_right_is_wrong_use(monkeypatch, name, value):
    monkeypatch.setenv(f"VORONKA_{name}", value)
    with pytest.raises(WrongUse, match="A setting is wrong") as caught:
        load_settings()
    assert name.lower() in str(caught.value).lower()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SPARK", "nonsense", "write session, thrift://host:port or sc://host:port"),
        ("SPARK", "thrift://localhost", "write session, thrift://host:port or sc://host:port"),
        ("SPARK", "sc://host:65536", "write session, thrift://host:port or sc://host:port"),
        ("SPARK_PREFIX", "Big_", "write up to 20 small letters, digits and underscores"),
        ("SPARK_PREFIX", "x" * 21, "write up to 20 small letters, digits and underscores"),
    ],
)
def test_a_wrong_setting_of_spark_says_what_to_write(monkeypatch, name, value, says):
    monkeypatch.setenv(f"VORONKA_{name}", value)
    with pytest.raises(WrongUse) as caught:
        load_settings()
    assert caught.value.message.startswith(f"A setting is wrong: VORONKA_{name}: {says}")


def test_variables_are_json_where_they_read_as_it():
    given = ["churn_days=60", "as_of=2026-01-31", "working_weekdays=[1, 2]", "base_currency=EUR"]
    assert parse_vars(given, {"churn_days": 90, "diagnostic_drop": 0.5}) == {
        "churn_days": 60,
        "diagnostic_drop": 0.5,
        "as_of": "2026-01-31",
        "working_weekdays": [1, 2],
        "base_currency": "EUR",
    }


def test_a_variable_without_a_value_is_wrong_use():
    with pytest.raises(WrongUse, match="is not name=value"):
        parse_vars(["churn_days"], {})


def test_the_password_is_not_shown_and_not_given_to_dbt(monkeypatch):
    monkeypatch.setenv("VORONKA_POSTGRES_URL", "postgresql://bi:s3cret@db/sales")
    monkeypatch.setenv("VORONKA_PROJECT_DIR", str(ROOT))
    settings = load_settings()
    assert settings.postgres_url.get_secret_value().endswith("@db/sales")
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert "s3cret" not in str(settings.dbt_environment())


def test_without_a_url_there_is_no_postgres(monkeypatch):
    monkeypatch.setenv("VORONKA_POSTGRES_URL", "")
    assert load_settings().postgres_url is None


def test_variables_are_read_from_the_project_and_what_overrides_them(monkeypatch, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/dbt_project.yml").write_text(
        "vars: {base_currency: eur, churn_days: 60, as_of: 2026-09-30, working_to: '18:00'}"
    )
    monkeypatch.setenv("VORONKA_DBT_VARS", '{"churn_days": "90", "working_weekdays": [5, 1, 5]}')
    settings = load_settings()
    assert settings.variables.base_currency == "EUR"
    assert settings.variables.as_of == date(2026, 9, 30)
    assert settings.variables.churn_days == 90
    # dbt is told what the project's file does not say in the same words.
    overrides = settings.dbt_overrides
    assert {name: overrides[name] for name in ("base_currency", "churn_days", "as_of")} == {
        "base_currency": "EUR",
        "churn_days": 90,
        "as_of": "2026-09-30",
    }
    assert overrides["working_weekdays"] == [1, 5]
    assert "working_to" not in overrides
    arguments = settings.dbt_arguments()
    assert json.loads(arguments[arguments.index("--vars") + 1]) == overrides


def test_defaults_of_the_project_need_no_override(monkeypatch):
    monkeypatch.setenv("VORONKA_PROJECT_DIR", str(ROOT))
    monkeypatch.setenv("VORONKA_DBT_VARS", '{"churn_days": 90}')
    assert load_settings().dbt_overrides == {}
    assert "--vars" not in load_settings().dbt_arguments()


@pytest.mark.parametrize("text", ["vars: [", "vars: 5", "- 1", "vars: {churn_days: 0x}", ""])
def test_a_damaged_project_file_is_wrong_use(tmp_path, text):
    (tmp_path / "project").mkdir()
    (tmp_path / "project/dbt_project.yml").write_text(text)
    with pytest.raises(WrongUse, match=r"dbt_project\.yml cannot be read|churn_days is '0x'"):
        load_settings().checked()


@pytest.mark.parametrize("text", ["[1]", "{churn_days", "5", "[" * 100_000, "9" * 5_000])
def test_variables_of_the_environment_are_one_json_object(monkeypatch, text):
    monkeypatch.setenv("VORONKA_DBT_VARS", text)
    with pytest.raises(WrongUse, match="VORONKA_DBT_VARS: write variables as JSON"):
        load_settings()


def test_no_variables_of_the_environment_are_none(monkeypatch):
    monkeypatch.setenv("VORONKA_DBT_VARS", " ")
    assert load_settings().dbt_vars == {}
