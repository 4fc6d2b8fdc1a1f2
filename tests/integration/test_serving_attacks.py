"""What somebody could try against the server, from outside and with a token of a small role.

Anna sees what m1 sees of three managers. Nothing that she sends shows her anything of m2 and m3,
stops the server or slows the others down.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import psutil
import pytest

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.serving.page import DATED, PageData
from orchestration.serving.session import Warehouse
from orchestration.serving.viewer import Viewer
from tests import hostile
from tests.conftest import query
from tests.serving import SECRET, Answer, Served, served
from tests.unit.serving_company import publish

# So many deals of m2 that an answer does not fit the buffers of a connection.
MANY = """
insert into marts.fct_deals select 'x' || i, 'm2', 'web', 1.00, date '2026-01-06',
    'secret of m2 ' || repeat('x', 100) from range(30_000) as t(i)
"""
# Nothing of these may come to Anna.
OTHERS = ("secret of m2", "m2", "m3", "Boris", "Vera", "d2", "d3", "x12", "boris@ours.ru", "anna@")
ASKED = ("/api/publication", "/api/metrics", "/api/query?metrics=deals", "/api/rows?metric=deals")
CONNECTIONS = 200
# Tokens are made when tests are collected, and used whenever their turn comes.
DAY = 86_400
# A machine that is busy with other tests is no attack.
PATIENT = {"VORONKA_SERVE_SECONDS": "60"}


def token(role: Any = "anna", secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    given = {"sub": role, "aud": "voronka", "exp": int(time.time()) + DAY, **claims}
    kept = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(kept, secret, algorithm=algorithm)


ANNA, READER, PERSONAL = token(), token("voronka_reader"), token("voronka_personal")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return publish(tmp_path_factory.mktemp("attacked"), "first", more=MANY)


@pytest.fixture(scope="module")
def server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with tokens, for all tests of this module."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    with served(settings, log, VORONKA_SERVE_SECRET=SECRET, **PATIENT) as found:
        yield found
        assert found.is_alive
    assert "Traceback" not in log.read_text()
    # What people ask, and the secrets they send, is not written down.
    assert [word for word in (SECRET, ANNA, "secret of") if word in log.read_text()] == []


@pytest.fixture(scope="module")
def slow_clients(server: Served) -> Iterator[list[socket.socket]]:
    """Connections that send a byte now and then and never come to an end."""
    clients = []
    for number in range(50):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        if number % 2:
            client.sendall(b"POST /mcp HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
        clients.append(client)
    is_over = threading.Event()

    def drip() -> None:
        while not is_over.wait(1):
            for client in clients:
                # The server gives them up one after the other: that is what is tested.
                with contextlib.suppress(OSError):
                    client.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    yield clients
    is_over.set()
    thread.join()
    for client in clients:
        client.close()


def b64(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(header: object, claims: object, secret: str = SECRET) -> str:
    """A token with any header, signed as ours are."""
    text = f"{b64(header)}.{b64(claims)}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{b64(signature)}"


def own_claims(**claims: Any) -> dict[str, Any]:
    return {"sub": "anna", "aud": "voronka", "exp": int(time.time()) + DAY, **claims}


def tampered(role: str) -> str:
    header, claims, signature = ANNA.split(".")
    padded = claims + "=" * (-len(claims) % 4)
    changed = {**json.loads(base64.urlsafe_b64decode(padded)), "sub": role}
    return f"{header}.{b64(changed)}.{signature}"


FORGED = {
    "another secret": token("voronka_personal", "f" * 32),
    "expired": token(exp=int(time.time()) - 1),
    "expired long ago": token(exp=1),
    "no end": token(exp=None),
    "an end that is no number": token(exp="never"),
    "of another audience": token(aud="grafana"),
    "of no audience": token(aud=None),
    "of many audiences": token(aud=["grafana", "kibana"]),
    "not yet valid": token(nbf=int(time.time()) + DAY - 60),
    "of nobody": token(sub=None),
    "of an empty name": token(""),
    "of a list": signed({"alg": "HS256"}, own_claims(sub=["anna", "voronka_personal"])),
    "of a number": signed({"alg": "HS256"}, own_claims(sub=1)),
    "unsigned": token(secret="", algorithm="none"),
    "none in capitals": f"{b64({'alg': 'NONE'})}.{b64(own_claims())}.",
    "none with a signature": signed({"alg": "none"}, own_claims()),
    "of another algorithm": token(algorithm="HS512", secret=SECRET * 2),
    "HS512 by our secret": token(algorithm="HS512"),
    "of an unknown algorithm": signed({"alg": "RS256"}, own_claims()),
    "without an algorithm": signed({"typ": "JWT"}, own_claims()),
    "critical extensions": signed({"alg": "HS256", "crit": ["x"], "x": 1}, own_claims()),
    "tampered": tampered("voronka_personal"),
    "without a signature": ANNA.rpartition(".")[0] + ".",
    "half of one": ANNA[: len(ANNA) // 2],
    "claims that are no object": signed({"alg": "HS256"}, ["anna"]),
    "claims that are no JSON": signed({"alg": "HS256"}, b"\xff{"),
    "a header nested deeply": f"{b64(b'[' * 20_000)}.{b64(own_claims())}.x",
    "empty": "",
    "dots": "..",
    "no token": "voronka_personal",
    "long": "a" * 30_000,
    "not ASCII": "Анна".encode().decode("latin-1"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_token_that_is_not_ours_opens_nothing(server: Served, name: str) -> None:
    for path in ("/api/query?metrics=deals", "/"):
        found = server.get(path, FORGED[name])
        assert found.status in (400, 401, 431), found
        assert "secret of" not in found.text
        assert found.status != 401 or found.headers["www-authenticate"].startswith("Bearer")
    cookie = server.get("/api/query?metrics=deals", headers={"Cookie": f"voronka={FORGED[name]}"})
    assert cookie.status in (400, 401, 431)


def test_without_a_token_only_health_and_the_door_answer(server: Served) -> None:
    paths = ("/", *ASKED, "/openapi.json", "/mcp", "/docs", "/nothing", "/enter/../api/metrics")
    assert {path: server.get(path).status for path in paths} == dict.fromkeys(paths, 401)
    assert server.rpc("tools/list", None).status == 401
    assert [server.get(path).status for path in ("/healthz", "/enter")] == [200, 200]


def test_a_role_that_is_not_in_the_seed_sees_nothing(server: Served) -> None:
    for role in ("nobody", "postgres", "anna ", "ANNA", "anna' or 'a' = 'a", "../../seeds", "m1"):
        found = server.get("/api/query", token(role), metrics="deals")
        assert (found.status, "sees nothing here" in found.text) == (403, True), found
    assert server.get("/api/query", token("left_long_ago"), metrics="deals").json["rows"] == [[0]]


def test_two_identities_are_none(server: Served) -> None:
    request = (
        "GET /api/query?metrics=deals HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {ANNA}\r\nAuthorization: Bearer {PERSONAL}\r\n\r\n"
    )
    assert b" 401 " in server.raw(request.encode()).partition(b"\r\n")[0]
    # A header goes before a cookie, whatever the cookie says.
    found = server.get(
        "/api/query", ANNA, headers={"Cookie": f"voronka={PERSONAL}"}, metrics="deals"
    )
    assert found.json["rows"] == [[1]]
    for scheme in ("Basic", "bearer:", "Token", ""):
        sent = {"Authorization": f"{scheme} {PERSONAL}"}
        assert server.get("/api/metrics", headers=sent).status == 401


def of_others(found: Answer) -> list[str]:
    """What of other people an answer shows. A workbook is opened."""
    body = found.body
    if body[:2] == b"PK":
        import io
        import zipfile

        with zipfile.ZipFile(io.BytesIO(body)) as book:
            body = b"".join(book.read(name) for name in book.namelist() if "xl/w" in name)
            body += b"".join(book.read(n) for n in book.namelist() if "sharedStrings" in n)
    text = body.decode(errors="replace")
    return [word for word in OTHERS if word in text.replace("m1", "").replace("d1", "")]


CONDITIONS = (
    "manager = 'm2'",
    "manager <> 'm1'",
    "manager is not null or manager is null",
    "true",
    "not false",
    "manager in ('m1', 'm2', 'm3')",
    "manager like '%'",
    "lower(manager) >= 'm2'",
    "deal = 'd2'",
    "deal in ('d2', 'd3', 'x12')",
    "source = 'web'",
    "coalesce(nullif(manager, 'm1'), 'm2') = 'm2'",
    "manager__team = 'South' or manager__team is null",
    "manager__email like '%ours%'",
    "manager__email = 'boris@ours.ru'",
    "metric_time >= '1900-01-01'",
    # Would fail on a row of somebody else, if it were tried on one.
    "cast(nullif(manager, 'm1') as integer) is null",
    "cast(nullif(deal, 'd1') as date) is null",
    "length(deal) / (length(nullif(manager, 'm1')) - 2) is null",
)


def ways_to_ask() -> list[tuple[str, dict[str, Any]]]:
    """Every address with every parameter that names or chooses rows."""
    ways: list[tuple[str, dict[str, Any]]] = []
    for format_ in ("json", "csv", "xlsx", "arrow"):
        for path, given in (
            ("/api/query", {"metrics": "deals,deals_amount", "by": "manager,deal", "limit": 50}),
            ("/api/rows", {"metric": "deals_amount", "limit": 50}),
        ):
            ways.append((path, {**given, "format": format_}))
    for condition in CONDITIONS:
        ways.append(("/api/query", {"metrics": "deals", "where": condition}))
        ways.append(
            ("/api/query", {"metrics": "deals", "by": "deal", "where": condition, "limit": 50})
        )
        ways.append(("/api/rows", {"metric": "deals", "where": condition, "limit": 50}))
    for by in ("manager", "deal", "source", "manager__team", "team", "manager__email", "email"):
        for order in ("", "-deals", "deals"):
            given = {"metrics": "deals", "by": by, **({"order": order} if order else {})}
            ways.append(("/api/query", given))
    for compare in ("previous", "year"):
        given = {"metrics": "deals", "by": "manager", "grain": "month", "compare": compare}
        ways.append(("/api/query", given))
    for period in ("2026-01-01", "2026-02-01"):
        ways.append(("/api/rows", {"metric": "deals", "grain": "month", "period": period}))
    for limit in (0, 1, 100_000):
        ways.append(("/api/rows", {"metric": "deals", "limit": limit}))
    ways += [("/api/publication", {}), ("/api/metrics", {}), ("/api/metrics", {"metrics": "deals"})]
    return ways


def test_nothing_of_others_comes_by_any_parameter(server: Served) -> None:
    """The reader asks the same first: what is cached for one is not given to another."""
    with ThreadPoolExecutor(4) as pool:
        ways = ways_to_ask()
        reader = list(pool.map(lambda way: server.get(way[0], READER, **way[1]), ways[:20]))
        anna = list(pool.map(lambda way: server.get(way[0], ANNA, **way[1]), ways))
    assert sum(bool(of_others(found)) for found in reader) > 10
    shown = [(way, of_others(found)) for way, found in zip(ways, anna, strict=True)]
    # She typed the condition herself; an error may say it again.
    assert [(way, words) for way, words in shown if words and "where" not in way[1]] == []
    failed = [(way, it.text[:200]) for way, it in zip(ways, anna, strict=True) if it.status >= 500]
    assert failed == []
    for way, found in zip(ways, anna, strict=True):
        if found.status != 200:
            assert "secret" not in found.text
        elif way[0] == "/api/query" and found.headers["content-type"] == "application/json":
            assert sum(row[-1] or 0 for row in found.json["rows"]) <= 10, way
        elif way[0] == "/api/rows" and found.headers["content-type"] == "application/json":
            assert (found.json["count"] or 0) <= 1, way
            assert of_others(found) == []


def test_a_condition_that_would_fail_on_hidden_rows_tells_nothing_of_them(server: Served) -> None:
    """Not even whether there are any: an error is an answer, too."""
    hidden = "cast(nullif(manager, 'm1') as integer) = 1"
    found = server.get("/api/query", ANNA, metrics="deals", where=hidden)
    assert (found.status, found.json["rows"]) == (200, [[0]])
    of_the_reader = server.get("/api/query", READER, metrics="deals", where=hidden)
    assert of_the_reader.status == 400 and "'m2'" not in of_the_reader.text


def test_masked_texts_cannot_be_guessed(server: Served) -> None:
    """The mask is what a condition is compared with."""
    for condition in ("manager__email = 'boris@ours.ru'", "manager__email like 'b%'"):
        found = server.get("/api/query", READER, metrics="deals", where=condition)
        assert found.json["rows"] == [[0]], condition
    found = server.get("/api/query", PERSONAL, metrics="deals", where="manager__email like 'b%'")
    assert found.json["rows"][0][0] > 1


def test_an_etag_of_another_viewer_is_none(server: Served) -> None:
    etag = server.get("/api/query", READER, metrics="deals").headers["etag"]
    mine = server.get("/api/query", ANNA, metrics="deals", headers={"If-None-Match": etag})
    again = server.get("/api/query", READER, metrics="deals", headers={"If-None-Match": etag})
    assert (mine.status, mine.json["rows"], again.status) == (200, [[1]], 304)
    assert "private" in mine.headers["cache-control"] and "Authorization" in mine.headers["vary"]


def test_tables_of_the_whole_company_are_refused(server: Served) -> None:
    found = server.get("/api/query", ANNA, metrics="ad_spend")
    assert (found.status, found.json["title"]) == (403, "Not for this viewer")
    assert server.get("/api/query", READER, metrics="ad_spend").json["rows"] == [[5.0]]


def tool(server: Served, who: str, name: str, **arguments: Any) -> dict[str, Any]:
    found = server.rpc("tools/call", who, name=name, arguments=arguments)
    assert found.status == 200, found
    return found.json["result"]


def test_an_assistant_sees_what_its_token_sees(server: Served) -> None:
    mine = tool(server, ANNA, "query", metrics=["deals"], by=["manager"])
    assert mine["structuredContent"]["rows"] == [{"manager": "m1", "deals": 1}]
    for condition in CONDITIONS:
        found = tool(server, ANNA, "explain", metric="deals", where=[condition], brief=False)
        if not found.get("isError"):
            assert found["structuredContent"]["total"] <= 1
            assert of_others(Answer(200, {}, json.dumps(found).encode())) == []
    all_rows = tool(server, READER, "query", metrics=["deals"])["structuredContent"]["rows"]
    assert all_rows == [{"deals": 30_003}]
    refused = tool(server, ANNA, "query", metrics=["ad_spend"])
    assert refused["isError"] and "not shown to this role" in refused["content"][0]["text"]


def test_what_is_no_message_of_the_protocol_is_refused(server: Served) -> None:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}

    def status(body: bytes, **other: str) -> int:
        sent = {**headers, **{name.replace("_", "-"): value for name, value in other.items()}}
        return server.get("/mcp", ANNA, method="POST", body=body, headers=sent).status

    assert status(b"") == 400
    assert status(b"{") == 400
    assert status(b"[" * 100_000) in (400, 413)
    assert status(b'{"jsonrpc":"2.0"}') == 400
    assert status(b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]') == 400
    assert status(b" " * 300_000) == 413
    assert status(b"{}", Content_Type="text/plain") == 400
    assert status(b"{}", Origin="http://evil.example") == 421
    assert server.get("/mcp", ANNA).status == 405
    unknown = server.rpc("tools/call", ANNA, name="drop_table", arguments={})
    assert "drop_table" in unknown.text and unknown.status in (200, 400, 404)
    assert server.rpc("resources/read", ANNA, uri="file:///etc/passwd").status in (200, 400, 404)
    assert "root:" not in server.rpc("resources/read", ANNA, uri="file:///etc/passwd").text


def outcome(server: Served, condition: str, secret: str) -> tuple[int, bool]:
    """The status that a condition gets, and whether the answer tells a secret."""
    try:
        found = server.get("/api/query", READER, metrics="deals", where=condition)
    except ConnectionError:
        # It was refused before it had come whole.
        return 400, False
    return found.status, secret in found.text


def test_no_name_and_no_condition_becomes_a_statement(server: Served, tmp_path: Path) -> None:
    out, secret = tmp_path / "out", tmp_path / "secret"
    secret.write_text("TOP SECRET")
    wrong = []
    with ThreadPoolExecutor(4) as pool:
        asked = [hostile.armed(text, out, secret) for text in hostile.CONDITIONS]
        statuses = list(pool.map(lambda it: outcome(server, it, "TOP SECRET"), asked))
        assert set(statuses) == {(400, False)}, [
            (text, status) for text, status in zip(asked, statuses, strict=True) if status[0] != 400
        ]
        names = [*hostile.ORDERS[:-1], "deals' --", "{{ 1 }}", "deals; drop table x", "\x00", "%00"]
        for path, parameter, other in (
            ("/api/query", "metrics", {}),
            ("/api/query", "by", {"metrics": "deals"}),
            ("/api/query", "order", {"metrics": "deals"}),
            ("/api/query", "grain", {"metrics": "deals"}),
            ("/api/query", "compare", {"metrics": "deals", "grain": "month"}),
            ("/api/query", "limit", {"metrics": "deals"}),
            ("/api/query", "format", {"metrics": "deals"}),
            ("/api/rows", "metric", {}),
            ("/api/rows", "part", {"metric": "deals"}),
            ("/api/rows", "period", {"metric": "deals", "grain": "month"}),
            ("/api/rows", "limit", {"metric": "deals"}),
            ("/api/metrics", "metrics", {}),
            ("/api/metrics", "group", {}),
        ):
            for name in (hostile.armed(it, out, secret) for it in names):
                answer = server.get(path, READER, **{**other, parameter: name})
                # An empty list is as good as none, and one row may be asked for.
                is_harmless = not name.strip(" -") or (parameter, name) == ("limit", "1")
                if answer.status != 400 and not (is_harmless and answer.status == 200):
                    wrong.append((path, parameter, name, answer.status))
    assert wrong == []
    assert not out.exists()


def test_no_path_leads_out_of_what_is_served(server: Served) -> None:
    for path in (
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/./././etc/passwd",
        "/etc/passwd%00.html",
        "/api/../../../../etc/passwd",
        "/static/../../../../etc/passwd",
        "/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "/voronka.duckdb",
        "/published/voronka.duckdb",
        "/dashboard.html/../voronka.duckdb",
        "/api/rows/../../published/voronka.duckdb",
        "/.env",
        "/.git/config",
        "/\u202e",
    ):
        found = server.get(quote(path, safe="/%."), PERSONAL)
        assert found.status in (400, 404), (path, found)
        assert b"root:" not in found.body and b"DUCK" not in found.body


def get_line(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", *headers, "Connection: close", "", ""]).encode()


def first_line(found: bytes) -> str:
    return found.partition(b"\r\n")[0].decode(errors="replace")


@pytest.fixture(scope="module")
def open_server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without tokens, for who sits at the machine."""
    with served(settings, tmp_path_factory.mktemp("open") / "log", **PATIENT) as found:
        yield found


def test_an_open_server_answers_to_this_machine_alone(open_server: Served) -> None:
    """A page of the web whose name is made to lead here (DNS rebinding) gets nothing."""
    server = open_server
    port = server.port
    target = "/api/query?metrics=deals"
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost", f"[::1]:{port}"):
        assert " 200 " in first_line(server.raw(get_line(target, f"Host: {host}"))), host
    for hosts in (
        ["Host: evil.example"],
        [f"Host: evil.example:{port}"],
        ["Host: localhost.evil.example"],
        ["Host: 127.0.0.1.nip.io"],
        ["Host: evil.example:localhost"],
        ["Host: localhost@evil.example"],
        ["Host: 2130706433"],
        ["Host: 0.0.0.0"],
        ["Host: "],
        ["Host: localhost", "Host: evil.example"],
        ["Host: evil.example", "X-Forwarded-Host: localhost"],
        [],
    ):
        found = server.raw(get_line(target, *hosts))
        assert first_line(found)[9:12] in ("400", "421"), (hosts, found)
        assert b"30003" not in found
    host = f"Host: localhost:{port}"
    for origin in ("http://evil.example", "null", f"https://localhost:{port + 1}", "file://"):
        found = server.raw(get_line(target, host, f"Origin: {origin}"))
        assert first_line(found)[9:12] in ("400", "421"), (origin, found)
    own = server.raw(get_line(target, host, f"Origin: http://localhost:{port}"))
    assert " 200 " in first_line(own)
    absolute = server.raw(get_line(f"http://evil.example{target}", host))
    assert first_line(absolute)[9:12] in ("200", "400", "404", "421")
    message = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    sent = {"Content-Type": "application/json", "Accept": "application/json"}
    foreign = server.get(
        "/mcp", method="POST", body=message, headers={**sent, "Host": "evil.example"}
    )
    assert foreign.status == 421


@pytest.fixture(scope="module")
def behind_proxy(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose proxy, at 127.0.0.2, says who asks."""
    with served(
        settings,
        tmp_path_factory.mktemp("proxy") / "log",
        VORONKA_SERVE_IDENTITY_HEADER="X-Role",
        VORONKA_SERVE_PROXY="127.0.0.2",
        **PATIENT,
    ) as found:
        yield found


def test_only_the_proxy_says_who_asks(behind_proxy: Served) -> None:
    server = behind_proxy
    ask = {"path": "/api/query?metrics=deals"}

    def status(source: str, **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return server.get(**ask, headers=sent, source=source).status

    assert status("127.0.0.2", X_Role="anna") == 200
    assert server.get(**ask, headers={"X-Role": "anna"}, source="127.0.0.2").json["rows"] == [[1]]
    assert status("127.0.0.1", X_Role="voronka_personal") == 401
    assert status("127.0.0.3", X_Role="voronka_personal") == 401
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "CF-Connecting-IP"):
        sent = {"X-Role": "voronka_personal", name: "127.0.0.2"}
        assert server.get(**ask, headers=sent, source="127.0.0.1").status == 401
    assert status("127.0.0.2") == 401
    assert status("127.0.0.2", X_Role="") == 401
    assert status("127.0.0.2", X_Role="nobody") == 403
    assert status("127.0.0.2", Authorization=f"Bearer {PERSONAL}") == 401
    # Two roles are none: one of them is not the proxy's.
    lines = get_line(ask["path"], "Host: x", "X-Role: anna", "X-Role: voronka_personal")
    with socket.create_connection(
        ("127.0.0.1", server.port), 30, source_address=("127.0.0.2", 0)
    ) as client:
        client.sendall(lines)
        assert " 401 " in first_line(client.recv(65_536))


HUGE: dict[str, Sequence[tuple[str, Any]]] = {
    "a period after all calendars": [("grain", "year"), ("period", "9999-12-31")],
    "a period before all calendars": [("grain", "year"), ("period", "0001-01-01")],
    "a year of five digits": [("grain", "year"), ("period", "99999-01-01")],
    "no date": [("grain", "day"), ("period", "2026-02-30")],
    "a limit beyond 64 bits": [("limit", 10**30)],
    "a limit below 0": [("limit", -1)],
    "a limit of many digits": [("limit", "9" * 5_000)],
    "a date far away": [("where", "metric_time > '290000-01-01'")],
    "an interval far away": [
        ("where", "metric_time > date '2026-01-01' + interval 999999999 year")
    ],
    "a long condition": [("where", "manager = '" + "x" * 10_000 + "'")],
    "many conditions": [("where", "true")] * 21,
    "deep brackets": [("where", "(" * 4_990 + "true" + ")" * 4_990)],
    "many nots": [("where", "not " * 2_000 + "true")],
    "many signs": [("where", "- " * 4_000 + "1 = 1")],
    "a chain of sums": [("where", "+".join("1" * 4_000) + " > 0")],
    "a chain of ors": [("where", " or ".join(["manager = 'x'"] * 600))],
    "nested functions": [("where", "lower(" * 1_500 + "manager" + ")" * 1_500 + " = 'x'")],
    "a product that overflows": [("where", "*".join(["9999999999"] * 50) + " > 0")],
    "a parameter twice": [("limit", 1), ("limit", 2)],
    "an unknown parameter": [("filter", "manager = 'm1'")],
    "many parameters": [("where", "true")] * 5_000,
}


@pytest.mark.parametrize("name", HUGE)
def test_what_is_huge_is_refused_in_time(server: Served, name: str) -> None:
    start = time.monotonic()
    query = urlencode([("metric", "deals"), *HUGE[name]])
    found = server.get(f"/api/rows?{query}", ANNA)
    assert found.status in (200, 400, 414, 422, 431), found
    assert found.status != 200 or found.json["count"] <= 1
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "target",
    [
        "/api/query?metrics=" + ",".join(["deals"] * 1_000),
        "/api/query?metrics=" + ",".join(f"m{number}" for number in range(5_000)),
        "/api/query?metrics=deals&by=" + ",".join(["manager"] * 1_000),
        "/api/query?metrics=deals&order=" + ",".join(["deals"] * 1_000),
        "/api/metrics?words=" + ",".join(["a"] * 2_000),
        "/" + "a" * 1_000_000,
        "/api/query?metrics=deals&where=" + "%27" * 300_000,
        "/api/query?%=&&&=%ff%fe&metrics=%00",
        "/api/query?metrics=deals&where=%ff",
    ],
    ids=lambda target: target[:40],
)
def test_long_and_broken_addresses_are_refused(server: Served, target: str) -> None:
    start = time.monotonic()
    found = server.raw(get_line(target, "Host: localhost", f"Authorization: Bearer {ANNA}"))
    assert first_line(found)[9:12] in ("400", "404", "414", "431") or not found
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"GET\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"\r\n" * 1_000 + b"x",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 2_000_000,
        b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 300_000,
        b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /enter HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + b"a" * 3_000_000,
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nBad Header: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    ],
    ids=lambda request: str(request[:30]),
)
def test_what_is_no_request_stops_nobody(server: Served, request_: bytes) -> None:
    # A server may hang up on what is no request; that it lives is asked below.
    with contextlib.suppress(ConnectionError):
        found = server.raw(request_, seconds=2)
        assert b"Traceback" not in found and b"root:" not in found
    assert server.is_alive


def test_a_request_hidden_in_another_is_not_answered_as_its_own(server: Served) -> None:
    """With a length and chunks both, a proxy and a server might disagree where one ends."""
    hidden = get_line("/api/query?metrics=deals", "Host: a", f"Authorization: Bearer {PERSONAL}")
    smuggled = (
        b"POST /enter HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" + hidden
    )
    found = server.raw(smuggled, seconds=3)
    assert b"30003" not in found or found.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
def test_nothing_can_be_changed(server: Served, method: str) -> None:
    for path in ASKED:
        assert server.get(path, PERSONAL, method=method).status == 405, path


def test_nobody_is_sent_elsewhere(server: Served) -> None:
    for path in ("//evil.example", "/%0d%0aSet-Cookie:x=1", "/enter?next=http://evil.example"):
        found = server.get(path, PERSONAL)
        assert not found.headers.get("location", "/").startswith(("http", "//"))
        assert found.headers.get("set-cookie", "") != "x=1"
    page = server.get("/enter")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    form = urlencode({"token": PERSONAL}).encode()
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    signed_in = server.get("/enter", method="POST", body=form, headers=sent)
    assert (signed_in.status, signed_in.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Lax"} <= set(signed_in.headers["set-cookie"].split("; "))
    foreign = server.get(
        "/enter", method="POST", body=form, headers={**sent, "Origin": "http://evil.example"}
    )
    assert foreign.status == 421 and "set-cookie" not in foreign.headers


def test_two_hundred_connections_are_all_answered(server: Served) -> None:
    def ask(number: int) -> tuple[int, bytes]:
        who = (ANNA, READER)[number % 2]
        found = server.get("/api/query", who, metrics="deals", where=f"{number} = {number}")
        return found.status, found.body

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        found = list(pool.map(ask, range(CONNECTIONS)))
    statuses = {status for status, _ in found}
    # Who is too much for the moment is told to come again.
    assert statuses <= {200, 503} and sum(status == 200 for status, _ in found) > 20
    for number, (status, body) in enumerate(found):
        if status == 200:
            assert json.loads(body)["rows"] == [[(1, 30_003)[number % 2]]]
    assert server.is_alive


def test_who_leaves_in_the_middle_of_an_answer_leaves_nothing_behind(server: Served) -> None:
    """The connection is reset while megabytes are on their way."""
    target = "/api/rows?" + urlencode({"metric": "deals", "format": "csv", "limit": 30_000})
    whole = server.get(target, READER)
    assert whole.status == 200 and len(whole.body) > 3_000_000
    process = psutil.Process(server.process.pid)
    before = process.num_fds()
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        client.sendall(get_line(target, "Host: localhost", f"Authorization: Bearer {READER}"))
        assert client.recv(1_000).startswith(b"HTTP/1.1 200")
        # Reset, not closed.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        client.close()
    assert server.get(target, READER).body == whole.body
    assert soon(lambda: process.num_fds() <= before + 2)


def test_every_answer_is_of_one_publication_while_others_are_published(
    server: Served, settings: Settings
) -> None:
    """Each publication has another amount; old files do not stay open."""
    amounts = {"first": 30_070}
    is_over = threading.Event()
    found: list[tuple[str, float]] = []

    def ask() -> None:
        while not is_over.is_set():
            # Never from the cache.
            condition = f"{time.monotonic_ns()} > 0"
            answer = server.get("/api/query", READER, metrics="deals_amount", where=condition)
            assert answer.status == 200, answer
            assert answer.json["publication_id"] == answer.headers["x-voronka-publication"]
            found.append((answer.json["publication_id"], answer.json["rows"][0][0]))

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for number in range(1, 9):
            name = f"n{number}"
            amounts[name] = 30_070 + number
            more = (
                MANY + f"; update marts.fct_deals set amount = {20 + number} where deal_id = 'd2'"
            )
            publish(settings.data, name, more=more)
            time.sleep(0.2)
        assert soon(lambda: any(name == "n8" for name, _ in found))
        is_over.set()
        for each in asking:
            each.result()
    assert {(name, amounts[name]) for name, _ in found} == set(found)
    assert len(dict(found)) > 2

    def open_files() -> int:
        files = psutil.Process(server.process.pid).open_files()
        return sum("voronka.duckdb" in file.path or "(deleted)" in file.path for file in files)

    assert soon(lambda: server.get("/healthz").status == 200 and open_files() <= 1)


def test_slow_clients_are_given_up_and_hold_nobody_up(
    server: Served, slow_clients: list[socket.socket]
) -> None:
    start = time.monotonic()
    assert server.get("/api/query", ANNA, metrics="deals", where="1 < 2").status == 200
    assert time.monotonic() - start < 5

    def is_closed(client: socket.socket) -> bool:
        client.settimeout(0.01)
        try:
            return client.recv(65_536) == b"" or is_closed(client)
        except TimeoutError:
            return False
        except OSError:
            return True

    assert soon(lambda: all(map(is_closed, slow_clients)), seconds=40)


def test_who_takes_nothing_of_an_answer_is_given_up(server: Served) -> None:
    """His window is closed; the others' questions are answered meanwhile."""
    target = "/api/rows?" + urlencode({"metric": "deals", "format": "csv", "limit": 30_000})
    request = get_line(target, "Host: localhost", f"Authorization: Bearer {READER}")
    clients = []
    for _ in range(8):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect(("127.0.0.1", server.port))
        client.sendall(request)
        clients.append(client)
    start = time.monotonic()
    for number in range(5):
        where = f"{number} < 100"
        assert server.get("/api/query", ANNA, metrics="deals", where=where).status == 200
    assert time.monotonic() - start < 10
    for client in clients:
        client.close()


def test_after_all_this_the_server_is_small_and_well(server: Served) -> None:
    memory = psutil.Process(server.process.pid).memory_info().rss
    assert memory < 1_500_000_000
    assert server.get("/api/query", ANNA, metrics="deals").json["rows"] == [[1]]
    assert server.is_alive


ALL_ROWS = "/api/rows?" + urlencode({"metric": "deals", "format": "csv", "limit": 30_000})


def test_a_server_that_is_told_to_end_ends_what_it_answers_first(
    behind_proxy: Served, settings: Settings
) -> None:
    before = settings.published_file.read_bytes()
    code, body = ended(behind_proxy, signal.SIGTERM, "127.0.0.2", "X-Role: voronka_reader")
    assert (code, body.partition(b"\r\n\r\n")[2].count(b"\n")) == (0, 30_001)
    assert settings.published_file.read_bytes() == before


def test_a_kill_in_the_middle_of_an_answer_harms_no_file(
    open_server: Served, settings: Settings
) -> None:
    before = settings.published_file.read_bytes()
    code, body = ended(open_server, signal.SIGKILL, "127.0.0.1")
    assert code == -signal.SIGKILL and body.startswith(b"HTTP/1.1 200")
    assert settings.published_file.read_bytes() == before
    assert {it.name for it in settings.published_dir.iterdir()} == {"voronka.duckdb"}


def ended(server: Served, how: signal.Signals, source: str, *headers: str) -> tuple[int, bytes]:
    """How a server ends in the middle of a large answer, and what came of that."""
    with socket.create_connection(
        ("127.0.0.1", server.port), 60, source_address=(source, 0)
    ) as client:
        client.sendall(get_line(ALL_ROWS, "Host: localhost", *headers))
        body = client.recv(1_000)
        os.kill(server.process.pid, how)
        # A killed server resets the connection: the answer ends there.
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(1_000_000):
                body += piece
    return server.process.wait(60), body


def soon(is_so: Any, seconds: float = 15) -> bool:
    """Whether something comes true in this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.2)
    return bool(is_so())


def test_the_pages_data_hold_nothing_of_others(demo_publication: Path) -> None:
    """All that the page of m-09 can ask for, and what is no question."""
    settings = Settings(data_dir=demo_publication.parents[1])
    warehouse, data = Warehouse(settings), PageData(settings.variables)
    viewer = Viewer("kim", managers=frozenset({"m-09"}))

    def asked(ask: str, ranges: str = "2026-04-01/2026-10-01") -> str:
        with warehouse.session(viewer) as session:
            return data.answer(session, [("ask", ask), ("ranges", ranges)]).decode()

    others = [
        word
        for row in query(
            demo_publication,
            "select manager_id, manager_name, email from marts.dim_manager "
            "where manager_id not in ('m-09', 'unknown')",
        )
        for word in row
        if word
    ]
    base = asked("base")
    cubes = json.loads(base)["answers"][0]["cubes"]
    asks = [f"part:{name}" for name in ("cohorts", "presale", "outlook", "quality", "columns")]
    asks += [
        f"cube:{name}:{'.'.join(cube['keys'])}:{'.'.join(cube['columns'])}"
        for name, cube in cubes.items()
    ]
    asks += [f"rows:{name}:month" for name in DATED]
    answers = {"base": base, **{ask: asked(ask) for ask in asks}}
    assert len(answers) > 15 and "m-09" in base
    shown = {ask: [it for it in others if it in text] for ask, text in answers.items()}
    assert {ask: words for ask, words in shown.items() if words} == {}
    for ask in ("", "::", "part:marts.fct_deals", "cube:daily:manager' or 1=1:revenue",
                "rows:diagnosis:month' or 'a'='a", "rows:marts.fct_calls:month"):  # fmt: skip
        with pytest.raises(WrongUse):
            asked(ask)
    for ranges in ("' or 1=1", "2026-05-01/2026-04-01", "0001-01-01/9999-12-31", "2026-01-01'/x"):
        with pytest.raises(WrongUse):
            asked("base", ranges)
    warehouse.close()
