"""Google Ads: what each campaign cost, day by day, by one query for each account (9)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from orchestration.base.durations import HOUR
from orchestration.base.findings import Finding
from orchestration.connectors.advertising import (
    TABLE,
    AdsConnection,
    Advertising,
    Days,
    Spent,
    units_of,
)
from orchestration.connectors.connections import Connection
from orchestration.connectors.connector import Row
from orchestration.connectors.errors import Refused
from orchestration.connectors.http import Again, Answer, Http, Pace, refuse
from orchestration.connectors.secrets import SecretRef, secret_key

BASE_URL = "https://googleads.googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"
SCOPE = "https://www.googleapis.com/auth/adwords"
MAX_WAIT = 1_800.0
# The month in which a major version came, as Google announced it; it lives twelve months.
RELEASED = {
    "v23": date(2026, 1, 1),
    "v24": date(2026, 4, 1),
    "v25": date(2026, 7, 1),
    "v26": date(2026, 10, 1),
}
_OLD = timedelta(days=300)
_SPENT = (
    "SELECT customer.id, customer.currency_code, customer.time_zone, campaign.id, campaign.name, "
    "campaign.status, segments.date, metrics.cost_micros, metrics.impressions, metrics.clicks "
    "FROM campaign WHERE segments.date BETWEEN '{}' AND '{}'"
)
_CUSTOMER = (
    "SELECT customer.id, customer.currency_code, customer.time_zone, customer.manager FROM customer"
)
_CLIENTS = (
    "SELECT customer_client.id, customer_client.descriptive_name, customer_client.time_zone, "
    "customer_client.currency_code, customer_client.manager, customer_client.status "
    "FROM customer_client WHERE customer_client.manager = FALSE"
)
_LEVELS = ("CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION", "DEVELOPER_TOKEN_NOT_APPROVED")
_CLOSED = "CUSTOMER_NOT_ENABLED"

Json = dict[str, Any]


class GoogleAdsConnection(AdsConnection):
    """One account, or all accounts of a manager account."""

    kind: Literal["google_ads"]
    customer_id: str = Field(
        pattern=r"^\d{10}$",
        description="the account's number; of a manager account all its accounts are read",
        examples=["1234567890"],
    )
    login_customer_id: str | None = Field(
        default=None,
        pattern=r"^\d{10}$",
        description="the manager account, where the login has access only through it",
        examples=["9876543210"],
    )
    client_id: str | None = Field(
        default=None,
        description="OAuth client of a Google Cloud project",
        examples=["000-abc.apps.googleusercontent.com"],
        json_schema_extra={"shown": True},
    )
    client_secret: SecretRef | None = secret_key("of the OAuth client", shown=True)
    refresh_token: SecretRef | None = secret_key("with the scope adwords", shown=True)
    service_account_file: Path | None = Field(
        default=None,
        description="instead of the three: a service account's key file",
    )
    api_version: str = Field(
        default="v26", pattern=r"^v\d+$", description="a version lives about a year"
    )
    token_url: str = Field(default=TOKEN_URL, description="where tokens are exchanged")
    developer_token: SecretRef | None = secret_key("not used since September 2026; take it out")

    @field_validator("customer_id", "login_customer_id", mode="before")
    @classmethod
    def _digits(cls, value: Any) -> Any:
        return value if value is None else re.sub(r"[-\s]", "", str(value))

    @field_validator("token_url")
    @classmethod
    def _encrypted_too(cls, value: str) -> str:
        return cls.encrypted(value)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        oauth = (self.client_id, self.client_secret, self.refresh_token)
        if self.service_account_file and any((self.client_secret, self.refresh_token)):
            raise ValueError("service_account_file and refresh_token exclude each other")
        if not self.service_account_file and not all(oauth):
            raise ValueError(
                "needs all of client_id, client_secret and refresh_token, or service_account_file"
            )
        return self


@dataclass(frozen=True)
class Account:
    """One account that has campaigns."""

    number: str
    name: str
    currency: str
    zone: str


class Unreadable(Exception):
    """An account that was closed: it tells nothing, and what it told stays."""


class GoogleAds(Advertising[GoogleAdsConnection]):
    """Google Ads."""

    kind: ClassVar[str] = "google_ads"
    title: ClassVar[str] = "Google Ads"
    page: ClassVar[str] = "google_ads.md"
    config: ClassVar[type[Connection]] = GoogleAdsConnection
    # Whether the token was exchanged since the last good answer.
    _is_renewed = False

    @classmethod
    def key_spaces(cls, connection: Any) -> Iterator[tuple[str, str, str]]:
        """Ids of campaigns are the account's: one that is read twice would count twice."""
        yield TABLE, f"google_ads:{connection.customer_id}", "customer_id"

    def zone(self) -> ZoneInfo:
        """The zone in which it is still the earlier day, of all accounts' zones."""
        zones = [self._zone_of(it) for it in self.accounts]
        now = self.work.clock.now()
        found = min(zones, key=lambda it: now.astimezone(it).replace(tzinfo=None), default=None)
        return found or ZoneInfo("UTC")

    def spent(self, days: Days) -> Spent:
        """One query for each account."""
        found = Spent()
        for account in self.accounts:
            try:
                results = self._search(account.number, _SPENT.format(days.first, days.last))
            except Unreadable:
                found.unreadable.add(account.number)
                self.work.report.warn(
                    f"Account {account.number} ({account.name}) is closed and tells nothing; what "
                    "was read of it before stays."
                )
                continue
            rows = [self._mapped(it) for it in results]
            self.work.report.account("searchStream", len(results), len(rows))
            found.rows += rows
            found.campaigns |= {str(it["campaign"]): account.number for it in rows}
        listed = {it.number for it in self.accounts}
        seen = set((self.work.state.get("campaigns") or {}).values())
        if gone := seen - listed:
            found.unreadable |= gone
            self.work.report.warn(
                f"Accounts {', '.join(sorted(gone))} are not listed any more; what was read of "
                "them before stays."
            )
        return found

    def check(self) -> Iterator[Finding]:
        """The accounts, the version, some days, the CRM's source."""
        for it in self.accounts:
            yield Finding(
                "good", f"Account {it.number} {it.name}: days in {it.zone}, cost in {it.currency}"
            )
        yield Finding("good", "Cost is without VAT: Google knows no other")
        yield from self._version_findings()
        yield from self.sample_findings()
        yield from self.source_findings()
        yield from self.skew_finding(self._http.skew)

    def _version_findings(self) -> Iterator[Finding]:
        version = self.connection.api_version
        released = RELEASED.get(version)
        if released is None:
            return
        if self.work.clock.now().date() - released >= _OLD:
            yield Finding(
                "note",
                f"{version} of the API came in {released:%B %Y} and lives about twelve months",
                "Write a later one in api_version.",
            )

    @cached_property
    def accounts(self) -> list[Account]:
        """The account itself, or those of a manager account."""
        keys = self.connection
        if keys.developer_token:
            self.work.report.warn("developer_token is not used any more; take it out.")
        own = self._search(keys.customer_id, _CUSTOMER)
        customer: Json = own[0].get("customer") or {} if own else {}
        if not customer.get("manager"):
            return [
                Account(
                    keys.customer_id,
                    "",
                    str(customer.get("currencyCode")),
                    str(customer.get("timeZone")),
                )
            ]
        # Accounts of a manager are read through it.
        self._http.headers.setdefault("login-customer-id", keys.customer_id)
        clients = [it["customerClient"] for it in self._search(keys.customer_id, _CLIENTS)]
        return [
            Account(
                str(it["id"]),
                str(it.get("descriptiveName") or ""),
                str(it.get("currencyCode")),
                str(it.get("timeZone")),
            )
            for it in sorted(clients, key=lambda it: int(it["id"]))
        ]

    def _zone_of(self, account: Account) -> ZoneInfo:
        try:
            return ZoneInfo(account.zone)
        except (ZoneInfoNotFoundError, ValueError):
            self.work.report.warn(f"Account {account.number}: {account.zone} is no time zone.")
            return ZoneInfo("UTC")

    def _mapped(self, result: Mapping[str, Any]) -> Row:
        campaign, metrics = result.get("campaign") or {}, result.get("metrics") or {}
        return self.row(
            _text(result.get("segments", {}).get("date")),
            _text(campaign.get("id")),
            _text(campaign.get("name")),
            units_of(_text(metrics.get("costMicros"))),
            _text((result.get("customer") or {}).get("currencyCode")),
            _text(metrics.get("impressions")),
            _text(metrics.get("clicks")),
        )

    def _search(self, customer: str, query: str) -> list[Json]:
        """Rows of a query: all batches of the stream, none of which may be an error."""
        if "Authorization" not in self._http.headers:
            self._login()
        path = f"/{self.connection.api_version}/customers/{customer}/googleAds:searchStream"
        answer = self._http.request(
            "POST", path, json_body={"query": query}, judge=self._judge_stream, what="searchStream"
        )
        self._is_renewed = False
        return [row for batch in answer.data for row in batch.get("results") or []]

    @cached_property
    def _http(self) -> Http:
        keys, work = self.connection, self.work
        http = Http(
            keys.name, self.title, keys.base_url or BASE_URL, work.clock, work.mask, work.report,
            Pace(5, work.clock), self._judge,
        )  # fmt: skip
        if keys.login_customer_id:
            http.headers["login-customer-id"] = keys.login_customer_id
        return http

    def _login(self) -> None:
        """Exchange the refresh token, or a signed statement, for a token of an hour."""
        keys, work = self.connection, self.work
        host, _, path = keys.token_url.rpartition("/")
        exchange = Http(
            keys.name, self.title, host, work.clock, work.mask, work.report, Pace(5, work.clock),
            self._judge_exchange,
        )  # fmt: skip
        form = self._statement() if keys.service_account_file else {
            "grant_type": "refresh_token",
            "client_id": str(keys.client_id),
            "client_secret": self.secret("client_secret"),
            "refresh_token": self.secret("refresh_token"),
        }  # fmt: skip
        answer = exchange.request("POST", f"/{path}", form=form, what="token")
        token = self.work.mask.hide(str(answer.data["access_token"]))
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _statement(self) -> dict[str, str]:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        keys = self.connection
        try:
            account = json.loads(Path(str(keys.service_account_file)).read_text(encoding="utf-8"))
            pem = self.work.mask.hide(account["private_key"]).encode()
            key = serialization.load_pem_private_key(pem, password=None)
            issuer = str(account["client_email"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refused(
                f"{keys.name}: Google Ads, service_account_file: {type(error).__name__}",
                "Name the key file (JSON) that Google Cloud gave out for the service account.",
            ) from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise Refused(
                f"{keys.name}: Google Ads, service_account_file: its key is no RSA key",
                "Name the key file (JSON) that Google Cloud gave out for the service account.",
            )
        now = int(self.work.clock.now().timestamp())
        claims = {
            "iss": issuer, "scope": SCOPE, "aud": keys.token_url, "iat": now, "exp": now + HOUR,
        }  # fmt: skip
        parts = [_part({"alg": "RS256", "typ": "JWT"}), _part(claims)]
        signed = ".".join(parts).encode()
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        parts.append(base64.urlsafe_b64encode(signature).rstrip(b"=").decode())
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self.work.mask.hide(".".join(parts)),
        }

    def _judge_exchange(self, answer: Answer) -> Again | None:
        if answer.status == 200 and not (answer.is_json and "access_token" in answer.data):
            return Again("unreadable")
        if answer.status in (400, 401, 403):
            raise refuse(
                "Authorise the OAuth client again and set the new refresh token "
                f"({self.connection.refresh_token or 'service_account_file'}); one of an "
                "application that is only in testing lives seven days."
            )
        return None

    def _judge_stream(self, answer: Answer) -> Again | None:
        if answer.status == 200 and answer.is_json and not error_of(answer):
            batches = answer.data
            if not isinstance(batches, list) or not all(isinstance(it, dict) for it in batches):
                return Again("unreadable")
        return None

    def _judge(self, answer: Answer) -> Again | None:
        error = error_of(answer)
        if error is None:
            if answer.status == 404:
                raise self._unsupported()
            return Again("5xx") if answer.status >= 500 else None
        codes, text = codes_of(error), words_of(error)
        if answer.status == 401 or error.get("code") == 401:
            if self._is_renewed:
                raise refuse("Authorise the OAuth client again and set the new keys.", text)
            self._is_renewed = True
            self._login()
            return Again("token", after=0, at_most=1)
        if _CLOSED in codes:
            raise Unreadable
        if "UNSUPPORTED_VERSION" in codes:
            raise self._unsupported(text)
        if error.get("code") == 429 or "RESOURCE_EXHAUSTED" in codes:
            named = re.search(r"[Rr]etry in (\d+)", text) or re.search(
                r'"retryDelay": "(\d+)', json.dumps(error, default=str)
            )
            after = float(named.group(1)) if named else None
            remedy = f"Try again later; what was loaded stays. Google's words: {text}"
            return Again("429", after=after, budget=MAX_WAIT, remedy=remedy)
        if int(error.get("code") or 0) >= 500 or error.get("status") in ("INTERNAL", "UNAVAILABLE"):
            return Again("5xx")
        if codes & set(_LEVELS):
            raise refuse(
                "The Google Cloud project has the level Test, which reads test accounts only: ask "
                "for Explorer, Basic or Standard in Google Cloud, Google Ads API.",
                text,
            )
        if error.get("code") == 403:
            raise refuse(
                "The login may not read this account: check customer_id, and write the manager "
                "account in login_customer_id where access goes through one.",
                text,
            )
        raise refuse("Check customer_id and the other keys of the connection.", text)

    def _unsupported(self, words: str = "") -> Exception:
        version = self.connection.api_version
        return refuse(
            f"Google has no {version} of the API any more, or not yet: write a later api_version.",
            words,
        )


def error_of(answer: Answer) -> Json | None:
    """The error in an answer, whatever the status: alone, or among good batches."""
    if not answer.text.lstrip().startswith(("{", "[")) or not answer.is_json:
        return None
    parts = answer.data if isinstance(answer.data, list) else [answer.data]
    for it in parts:
        if isinstance(it, dict) and isinstance(it.get("error"), dict):
            found: Json = it["error"]
            return found
    return None


def _errors(error: Json) -> list[Json]:
    return [it for detail in error.get("details") or [] for it in detail.get("errors") or []]


def codes_of(error: Json) -> set[str]:
    """Google's own codes: of the failure's parts, and the status."""
    found = {str(code) for it in _errors(error) for code in (it.get("errorCode") or {}).values()}
    return found | {str(error.get("status"))}


def words_of(error: Json) -> str:
    """What Google says, with the number that its support asks for."""
    said = [str(it.get("message")) for it in _errors(error)] or [str(error.get("message"))]
    ids = [str(it["requestId"]) for it in error.get("details") or [] if it.get("requestId")]
    codes = ", ".join(sorted(codes_of(error)))
    return f"{'; '.join(said)} ({codes}{', request ' + ids[0] if ids else ''})"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _part(value: Sequence[str] | Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


CONNECTORS = (GoogleAds,)
