"""The server over HTTP, in this process: who may ask, what comes back, what is refused."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jwt
import pyarrow.ipc
import pytest
from starlette.testclient import TestClient

from orchestration.base.settings import Settings
from orchestration.serving.identity import AtTheMachine, ByProxy, ByToken, Identity, identity_of
from orchestration.serving.limits import Limits, Runner
from orchestration.serving.session import Warehouse
from orchestration.serving.site import build
from tests.unit.serving_company import publish, unpublished

SECRET = "a secret of the tests that is long enough to sign with, by any algorithm at all"
TOKENS = ByToken(SECRET)
Client = Callable[..., TestClient]
AT_THE_MACHINE = AtTheMachine()


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Settings:
    return publish(tmp_path_factory.mktemp("company"), "first")


@pytest.fixture
def client(company) -> Iterator[Client]:
    """A client of a server with this identity and these limits."""
    opened: list[Any] = []

    def made(
        identity: Identity = AT_THE_MACHINE,
        role: str | None = None,
        settings: Settings = company,
        base_url: str = "http://localhost:8000",
        peer: str = "127.0.0.1",
        **limits: Any,
    ) -> TestClient:
        warehouse = Warehouse(settings)
        # A loaded machine is no reason for a test to fail.
        runner = Runner(warehouse, Limits(**{"seconds": 120.0, **limits}))
        headers = {"Authorization": f"Bearer {TOKENS.token(role, 1)}"} if role else {}
        test = TestClient(
            build(settings, runner, identity),
            base_url=base_url,
            headers=headers,
            client=(peer, 50_000),
            follow_redirects=False,
        )
        opened.append((runner, warehouse))
        return test

    yield made
    for runner, warehouse in opened:
        runner.close()
        warehouse.close()


def exact(response: Any) -> Any:
    """The JSON of an answer, its numbers as they are written."""
    assert response.status_code == 200, response.text
    return json.loads(response.content, parse_float=Decimal)


def figures(client: TestClient, **asked: Any) -> list[list[Any]]:
    rows: list[list[Any]] = exact(client.get("/api/query", params=asked))["rows"]
    return rows


# What comes back.


def test_an_answer_in_json_has_exact_decimals_and_says_what_its_columns_are(client):
    found = exact(
        client().get("/api/query?metrics=deals_amount,deals&by=manager&order=-deals_amount")
    )
    assert found == {
        "publication_id": "first",
        "columns": [
            {"name": "manager", "type": "VARCHAR"},
            {
                "name": "deals_amount",
                "type": "DECIMAL(38,2)",
                "metric": "deals_amount",
                "unit": "currency",
                "label": {"en": "Amount of deals", "ru": "Сумма сделок"},
            },
            {
                "name": "deals",
                "type": "BIGINT",
                "metric": "deals",
                "unit": "count",
                "label": {"en": "Deals", "ru": "Сделки"},
            },
        ],
        "not_loaded": {},
        "rows": [
            ["m3", Decimal("40.00"), 1],
            ["m2", Decimal("20.00"), 1],
            ["m1", Decimal("10.00"), 1],
        ],
    }


def test_the_grammar_is_that_of_the_command(client):
    asked = client()
    assert figures(asked, metrics="deals", grain="month") == [["2026-01-01", 2], ["2026-02-01", 1]]
    assert figures(asked, metrics="deals", by="team", where="manager__team = 'North'") == [
        ["North", 2]
    ]
    assert figures(
        asked, metrics="deals", grain="month", compare="previous",
        where="metric_time >= '2026-02-01'",
    ) == [["2026-02-01", 1, 2, Decimal("-0.5")]]  # fmt: skip
    # Conditions that differ in values alone are planned once, and each has its own answer.
    for key, rows in (("m1", [["m1", 1]]), ("m2", [["m2", 1]]), ("__value_0__", []), ("{{", [])):
        assert figures(asked, metrics="deals", by="manager", where=f"manager = '{key}'") == rows


@pytest.mark.parametrize("how", ["parameter", "accept"])
def test_an_answer_in_arrow_has_its_types(client, how):
    kind = "application/vnd.apache.arrow.stream"
    address = "/api/query?metrics=deals_amount&grain=month"
    asked = client()
    found = (
        asked.get(f"{address}&format=arrow")
        if how == "parameter"
        else asked.get(address, headers={"Accept": kind})
    )
    assert found.headers["content-type"] == kind
    table = pyarrow.ipc.open_stream(io.BytesIO(found.content)).read_all()
    assert [(it.name, str(it.type)) for it in table.schema] == [
        ("period", "date32[day]"), ("deals_amount", "decimal128(38, 2)"),
    ]  # fmt: skip
    assert table["deals_amount"].to_pylist() == [Decimal("30.00"), Decimal("40.00")]


def test_a_file_for_a_spreadsheet_is_saved_under_a_name(client):
    found = client().get("/api/query?metrics=deals_amount&by=manager&format=csv")
    assert found.headers["content-disposition"].startswith('attachment; filename="deals_amount.csv')
    assert found.text == "manager,deals_amount\nm1,10.00\nm2,20.00\nm3,40.00\n"
    found = client().get("/api/query?metrics=deals_amount&grain=month&format=csv&lang=ru")
    assert found.content.decode().splitlines()[0] == "period,Сумма сделок"
    found = client().get("/api/query?metrics=deals_amount&by=manager&format=xlsx")
    assert found.content.startswith(b"PK")


def test_the_catalogue_has_both_languages_and_the_dimensions_of_what_is_named(client):
    found = exact(client().get("/api/metrics?words=сделок"))
    assert [metric["name"] for metric in found["metrics"]] == ["deals_amount"]
    assert found["metrics"][0]["label"] == {"en": "Amount of deals", "ru": "Сумма сделок"}
    found = exact(client().get("/api/metrics?metrics=deals"))
    assert "manager__team" in found["dimensions"]
    assert found["metrics"][0]["is_shown"] is True


def test_a_client_that_has_the_answer_is_told_so(client):
    asked = client()
    first = asked.get("/api/query?metrics=deals")
    tag = first.headers["etag"]
    again = asked.get("/api/query?metrics=deals", headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert asked.get("/api/query?metrics=deals", headers={"If-None-Match": '"x"'}).is_success
    other = client(TOKENS, "anna").get("/api/query?metrics=deals", headers={"If-None-Match": tag})
    assert other.status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"


def test_a_long_answer_is_compressed_for_who_takes_it_so(client, tmp_path):
    many = publish(
        tmp_path,
        "many",
        more="insert into marts.fct_deals select 'x' || i, 'm1', 'web', 1, date '2026-01-01', '' "
        "from range(500) as t(i)",
    )
    asked, address = client(settings=many), "/api/query?metrics=deals&by=deal"
    raw = asked.get(address, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in raw.headers
    with asked.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(packed.iter_raw())) == raw.content


def test_it_describes_itself_by_what_it_checks(client):
    found = client().get("/openapi.json").json()
    assert found["openapi"].startswith("3.1")
    (query,) = found["paths"]["/api/query"].values()
    by_name = {item["name"]: item for item in query["parameters"]}
    assert by_name["metrics"]["required"]
    assert by_name["metrics"]["schema"]["maxItems"] == 20
    assert found["components"]["schemas"]["Grain"]["enum"][0] == "hour"
    assert set(query["responses"]) == {"200", "304", "400", "401", "403", "422", "503"}


# What is refused, and how.


@pytest.mark.parametrize(
    ("address", "status", "detail"),
    [
        ("/api/query", 400, "A parameter is wrong."),
        ("/api/query?metrics=", 400, "A parameter is wrong."),
        ("/api/query?metrics=deals&nope=1", 400, "A parameter is wrong."),
        ("/api/query?metrics=deals&grain=century", 400, "A parameter is wrong."),
        ("/api/query?metrics=deals&limit=-1", 400, "A parameter is wrong."),
        ("/api/query?metrics=deals&limit=1&limit=2", 400, "limit is given twice."),
        ("/api/query?metrics=%ff", 400, "The query string cannot be read."),
        ("/api/query?metrics=nope", 400, "There is no metric nope."),
        ("/api/query?metrics=deals&by=nope", 400, "nope is no dimension of these metrics."),
        ("/api/query?metrics=deals&where=1;drop+table+x", 400, "where takes one condition"),
        ("/api/query?metrics=deals&where=1+=", 400, "where cannot be read"),
        ("/api/query?metrics=deals&where=exists(select+1)", 400, "where takes no subquery."),
        ("/api/query?metrics=deals&where=read_text('/etc/passwd')='a'", 400, "where takes no"),
        ("/api/query?metrics=deals&order=(select+1)", 400, "order (select 1): that is no column"),
        ("/api/query?metrics=" + ",".join(["deals"] * 21), 400, "A parameter is wrong."),
        ("/api/rows?metric=nope", 400, "There is no metric nope."),
        ("/api/nope", 404, "There is nothing at this address."),
        ("/../../etc/passwd", 404, "There is nothing at this address."),
        ("/%2e%2e/%2e%2e/etc/passwd", 404, "There is nothing at this address."),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_a_problem_with_a_remedy(client, address, status, detail):
    found = client().get(address)
    assert found.headers["content-type"] == "application/problem+json"
    problem = found.json()
    assert (found.status_code, problem["status"]) == (status, status)
    assert problem["detail"].startswith(detail)
    assert problem["remedy"]
    assert "--" not in problem["detail"] + problem["remedy"]


def test_an_unknown_parameter_is_named_and_its_value_is_not(client):
    problem = client().get("/api/query?metrics=deals&grain=s3cret&x=1").json()
    assert [line.partition(":")[0] for line in problem["errors"]] == ["grain", "x"]
    assert "s3cret" not in json.dumps(problem)


def test_other_methods_are_refused(client):
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        found = client().request(method, "/api/query?metrics=deals")
        assert found.status_code == 405
        assert set(found.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert client().head("/api/query?metrics=deals").content == b""


def test_an_answer_with_too_many_rows_is_refused_unless_some_are_asked_for(client):
    asked = client(rows=2)
    found = asked.get("/api/query?metrics=deals&by=manager")
    assert (found.status_code, found.json()["detail"]) == (422, "The answer has more than 2 rows.")
    assert len(figures(asked, metrics="deals", by="manager", limit=2)) == 2
    assert asked.get("/api/query?metrics=deals&by=manager&limit=3").status_code == 422
    assert asked.get("/api/query?metrics=deals&by=manager&limit=9&format=arrow").status_code == 422


def test_a_question_that_takes_too_long_is_interrupted(client, company, tmp_path):
    slow = publish(
        tmp_path, "slow",
        more="insert into marts.fct_deals select 'x' || i, 'm1', 'web', 1, date '2026-01-01' + "
        "(i % 50)::int, repeat('y', 20) from range(3000000) as t(i)",
    )  # fmt: skip
    asked = client(settings=slow, seconds=0.05)
    found = asked.get("/api/query?metrics=deals&by=deal&limit=1&order=-deals")
    assert found.status_code == 422
    assert found.json()["detail"] == "The question takes longer than 0.05 s."
    assert client(settings=slow).get("/api/publication").is_success


def test_a_question_that_needs_too_much_memory_is_refused_and_the_server_goes_on(client, tmp_path):
    big = publish(
        tmp_path, "big",
        more="insert into marts.fct_deals select 'x' || i || repeat('z', 50), 'm1', 'web', 1, "
        "date '2026-01-01', 'y' from range(400000) as t(i)",
    )  # fmt: skip
    asked = client(settings=big.model_copy(update={"serve_memory": "30MB"}), seconds=60)
    found = asked.get("/api/query?metrics=deals&by=deal&limit=1&order=deals")
    assert (found.status_code, found.json()["title"]) == (422, "The answer is too large")
    assert asked.get("/api/query?metrics=deals&limit=1").is_success


def test_more_questions_than_can_wait_are_sent_away_for_a_moment(client):
    found = client(at_once=1, waiting=-1).get("/api/query?metrics=deals")
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")


def test_without_a_publication_it_says_so_and_stays(client, tmp_path):
    asked = client(settings=unpublished(tmp_path))
    found = asked.get("/api/publication")
    assert (found.status_code, found.json()["detail"]) == (503, "Nothing is published yet.")
    assert found.headers["retry-after"] == "30"
    assert asked.get("/healthz").text == "ok\n"


def test_an_error_of_ours_tells_a_number_and_nothing_else(client, tmp_path, caplog):
    broken = publish(tmp_path, "broken", more="drop table quality.raw_reconciliation")
    found = client(settings=broken).get("/api/query?metrics=deals")
    assert found.status_code == 500
    assert "raw_reconciliation" not in found.text
    number = found.json()["detail"].rpartition(" ")[2].rstrip(".")
    assert number in caplog.text


# Who may ask.


def test_at_the_machine_only_requests_that_mean_it_are_answered(client):
    for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
        assert client().get("/api/publication", headers={"Host": host}).is_success
    for host in ("evil.example", "localhost.evil.example:8000", "127.0.0.1.nip.io", ""):
        found = client().get("/api/publication", headers={"Host": host})
        assert found.status_code == 421, host
    for origin in ("http://evil.example", "null", "http://localhost:9999"):
        found = client().get("/api/publication", headers={"Origin": origin})
        assert found.status_code == 421, origin
        assert "access-control-allow-origin" not in found.headers


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
def test_an_open_server_behind_a_proxy_answers_nobody(client, header):
    found = client().get("/api/publication", headers={header: "203.0.113.7"})
    assert (found.status_code, found.json()["detail"][:36]) == (
        421,
        "This request comes through a proxy, ",
    )


def claims(**changed: Any) -> dict[str, Any]:
    good = {"sub": "voronka_personal", "aud": "voronka",
            "exp": datetime.now(UTC) + timedelta(hours=1)}  # fmt: skip
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


BAD_TOKENS = {
    "forged": jwt.encode(claims(), SECRET.upper()),
    "ended": jwt.encode(claims(exp=datetime.now(UTC) - timedelta(seconds=1)), SECRET),
    "without an end": jwt.encode(claims(exp=None), SECRET),
    "for another audience": jwt.encode(claims(aud="other"), SECRET),
    "without an audience": jwt.encode(claims(aud=None), SECRET),
    "without a role": jwt.encode(claims(sub=None), SECRET),
    "with an empty role": jwt.encode(claims(sub=""), SECRET),
    "of no algorithm": jwt.encode(claims(), None, algorithm="none"),
    "of another algorithm": jwt.encode(claims(), SECRET, algorithm="HS512"),
    "no token": "abc",
    "half a token": jwt.encode(claims(), SECRET).rpartition(".")[0] + ".",
    "empty": "",
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_token_that_is_not_ours_opens_nothing(client, kind):
    asked = client(TOKENS)
    token = BAD_TOKENS[kind]
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"voronka={token}"}):
        found = asked.get("/api/publication", headers=headers)
        assert found.status_code == 401
        assert found.headers["www-authenticate"].startswith("Bearer")
        assert SECRET not in found.text
    good = TOKENS.token("voronka_personal", 1)
    # A wrong header is not made good by a cookie.
    found = asked.get(
        "/api/publication",
        headers={"Authorization": f"Bearer {token}", "Cookie": f"voronka={good}"},
    )
    assert found.status_code == 401


def test_without_a_token_nothing_but_health_and_signing_in_is_there(client):
    asked = client(TOKENS)
    for address in (
        "/api/publication",
        "/api/metrics",
        "/api/query?metrics=deals",
        "/openapi.json",
    ):
        assert asked.get(address).status_code == 401
    assert asked.get("/healthz").is_success
    assert asked.get("/enter").is_success


def test_a_link_signs_in_by_a_cookie_that_scripts_cannot_read(client):
    asked = client(TOKENS, base_url="https://voronka.example.com")
    token = TOKENS.token("anna", 2)
    page = asked.get("/enter")
    assert token not in page.text
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    found = asked.post(
        "/enter", data={"token": token}, headers={"Origin": "https://voronka.example.com"}
    )
    assert (found.status_code, found.headers["location"]) == (303, "/")
    cookie = found.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"):
        assert part in cookie
    assert asked.get("/api/publication").json()["viewer"]["name"] == "anna"
    assert asked.post("/enter", data={"token": "abc"}).status_code == 401
    assert asked.post("/enter", content=b"x" * 100_000).status_code == 401
    assert (
        asked.post("/enter", data={"token": token}, headers={"Origin": "https://evil"}).status_code
        == 421
    )


def test_who_opens_the_page_without_a_token_is_told_what_to_do_in_his_language(client):
    found = client(TOKENS).get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*"})
    assert (found.status_code, found.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "Откройте ссылку, которую вам дали." in found.text
    assert "Nobody is signed in." in found.text


def test_a_role_that_is_not_in_the_seed_any_more_is_let_in_nowhere(client):
    found = client(TOKENS, "boris").get("/api/publication")
    assert (found.status_code, found.json()["title"]) == (403, "Not for this viewer")


def proxy() -> Identity:
    return identity_of(
        Settings(serve_identity_header="X-Role", serve_proxy="10.0.0.0/24, ::1"), "0.0.0.0"
    )


def test_a_proxy_says_who_asks_and_nobody_else_can(client):
    assert isinstance(proxy(), ByProxy)
    headers = {"X-Role": "anna"}
    through = client(proxy(), peer="10.0.0.7")
    assert through.get("/api/publication", headers=headers).json()["viewer"]["name"] == "anna"
    assert through.get("/api/publication").status_code == 401
    twice = [("X-Role", "anna"), ("X-Role", "voronka_personal")]
    assert through.get("/api/publication", headers=twice).status_code == 401
    for peer in ("127.0.0.1", "10.0.1.7", "testclient"):
        found = client(proxy(), peer=peer).get("/api/publication", headers=headers)
        assert found.status_code == 401


# Who may see what.


@pytest.mark.parametrize(
    "asked",
    [
        {"where": "manager = 'm2'"},
        {"where": "manager = 'm2' or true"},
        {"where": "manager <> 'm1'"},
        {"where": "deal = 'd2'"},
        {"where": "manager__team = 'South'"},
        {"where": "source is not null", "by": "manager"},
        {"by": "deal", "order": "-deals"},
        {"by": "team", "limit": 100},
        {"grain": "month", "compare": "previous"},
        {"grain": "day", "by": "manager,source"},
    ],
)
def test_no_parameter_brings_the_rows_of_others(client, asked):
    rows = figures(client(TOKENS, "anna"), metrics="deals,deals_amount", **asked)
    text = json.dumps(rows, default=str)
    for others in ("d2", "d3", "m2", "m3", "South", "20.00", "40.00", "30.00", "70.00"):
        assert others not in text
    # The same question of the whole company names them.
    whole = json.dumps(figures(client(), metrics="deals,deals_amount", **asked), default=str)
    assert any(others in whole for others in ("20.00", "40.00", "60.00", "70.00"))


def test_what_belongs_to_no_manager_is_refused_and_not_zero(client):
    asked = client(TOKENS, "anna")
    found = asked.get("/api/query?metrics=ad_spend")
    assert found.status_code == 403
    assert found.json()["detail"] == "marts.fct_ad_spend is not shown to this role."
    shown = {
        metric["name"]: metric["is_shown"] for metric in asked.get("/api/metrics").json()["metrics"]
    }
    assert shown == {"deals_amount": True, "deals": True, "ad_spend": False}
    assert figures(client(TOKENS, "voronka_reader"), metrics="ad_spend") == [[Decimal("5.00")]]


def test_the_rows_behind_a_figure_are_the_viewers(client):
    found = exact(client().get("/api/rows?metric=deals_amount&grain=month&period=2026-01-01"))
    assert (found["count"], found["total"], found["figure"], found["is_sum"]) == (
        2, Decimal("30.00"), Decimal("30.00"), True,
    )  # fmt: skip
    names = [column["name"] for column in found["columns"]]
    ids = [row[names.index("deal_id")] for row in found["rows"]]
    assert (ids, found["keys"]) == (["d1", "d2"], ["deal_id"])
    page = exact(client().get("/api/rows?metric=deals_amount&limit=1&offset=1&brief=true"))
    assert [row[names.index("deal_id")] for row in page["rows"]] == ["d2"]

    asked = client(TOKENS, "anna")
    for where in ("true", "deal = 'd2'", "manager <> 'm1'", "manager__team = 'South'"):
        found = exact(asked.get("/api/rows", params={"metric": "deals_amount", "where": where}))
        assert "d2" not in json.dumps(found["rows"], default=str), where
        assert found["count"] == (1 if where == "true" else 0)
    refused = asked.get("/api/rows?metric=ad_spend")
    assert refused.status_code == 403


def test_a_sheet_of_rows_holds_no_formula(client):
    found = client().get("/api/rows?metric=deals_amount&format=csv")
    assert '"\'=1+1"' in found.text or "'=1+1" in found.text
    assert "\n=1+1" not in found.text and ",=1+1" not in found.text
    assert client().get("/api/rows?metric=deals_amount&format=xlsx").content.startswith(b"PK")
    table = pyarrow.ipc.open_stream(
        io.BytesIO(client().get("/api/rows?metric=deals_amount&format=arrow").content)
    ).read_all()
    assert table["value"].to_pylist() == [Decimal("10.00"), Decimal("20.00"), Decimal("40.00")]


def test_personal_data_is_masked_in_answers_and_conditions(client):
    address = {"metrics": "deals", "by": "manager__email"}
    assert figures(client(TOKENS, "voronka_reader"), **address) == [["***", 2], [None, 1]]
    assert (
        figures(client(TOKENS, "voronka_reader"), **address, where="manager__email like 'b%'") == []
    )
    assert figures(
        client(TOKENS, "voronka_personal"), **address, where="manager__email like 'b%'"
    ) == [["boris@ours.ru", 1]]
    paths = client(TOKENS, "voronka_reader").get("/api/publication").json()
    assert "raw_dir" not in paths


def test_errors_do_not_quote_values(client):
    found = client(TOKENS, "anna").get("/api/query?metrics=deals&where=cast(deal as integer) > 1")
    assert found.status_code == 400
    assert "d1" not in found.text and "d2" not in found.text
