"""Everything that can be set from outside, in one typed object.

Only this module reads the environment. Relative paths are relative to the project, wherever the
command is called from.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchestration.base.errors import WrongUse, first_line
from orchestration.base.object_store import OBJECT_STORES, object_store_extension
from orchestration.base.project import project_version
from orchestration.base.variables import Variables, parse_value, read_variables

DEMO_DIR = Path("seeds/demo/raw")
MAX_FILE_ROWS = 2_000_000
DUCKDB: Final = "duckdb"
SPARK: Final = "spark"
ORIGIN_SET = "set"
ORIGIN_DATA = "data/raw"
ORIGIN_DEMO = "demo"


class Settings(BaseSettings):
    """Settings of one refresh; each is the environment variable VORONKA_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="VORONKA_", frozen=True, extra="ignore")

    project_dir: Path = Field(
        default_factory=lambda: Path(__file__).resolve().parents[2],
        description="Where dbt_project.yml is.",
    )
    raw_dir: str | None = Field(default=None, description="The raw zone; a directory or s3://…")
    data_dir: Path = Field(default=Path("data"), description="Builds, publications and state.")
    dbt: str | None = Field(
        default=None, description="A dbt executable; by default the dbt of the lock file, in here."
    )
    engine: Literal["duckdb", "spark"] = Field(
        default=DUCKDB, description="What runs the models: duckdb, or an Apache Spark."
    )
    spark: str = Field(
        default="session",
        description="Which Spark: session (in this process), thrift://host:port or sc://host:port.",
    )
    spark_prefix: str = Field(
        default="voronka_",
        description="Begins the names of the private schemas there.",
    )
    local_facts_rows: int = Field(
        default=20_000_000,
        ge=0,
        description="Tables with more rows are the cluster's: raw ones it judges, facts stay.",
    )
    threads: int = Field(default=2, ge=1, le=256, description="Models that dbt builds at once.")
    memory: str = Field(
        default="2500MB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        description="What one session of DuckDB may hold; more goes to disk.",
    )
    max_file_rows: int = Field(
        default=MAX_FILE_ROWS,
        ge=1,
        description="Rows that a raw file may declare, however small it is.",
    )
    dbt_vars: Annotated[dict[str, Any], NoDecode] = Field(
        default_factory=dict, description="JSON mapping; overrides vars of dbt_project.yml."
    )

    postgres_url: SecretStr | None = Field(
        default=None, description="A Postgres that gets every publication; holds a password."
    )
    postgres_prefix: str = Field(
        default="",
        pattern="^[a-z0-9_]{0,20}$",
        description="Begins the names of our schemas there.",
    )
    postgres_reader: str = Field(
        default="voronka_reader", description="Role that may read there; empty: none."
    )
    postgres_access: bool = Field(
        default=False, description="Limit rows by access_roles.csv, mask personal data."
    )
    postgres_personal: str = Field(
        default="voronka_personal", min_length=1, description="Role that sees personal data."
    )

    serve_secret: SecretStr | None = Field(
        default=None, description="Signs the tokens of `voronka serve`; 32 characters or more."
    )
    serve_identity_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="Header in which a proxy says who asks `voronka serve`.",
    )
    serve_proxy: str | None = Field(
        default=None, description="Addresses of the proxy that is trusted with that header."
    )
    serve_seconds: float = Field(
        default=2.0, gt=0, le=300, description="Seconds that a question to the server may take."
    )
    serve_rows: int = Field(
        default=100_000, ge=1, le=1_000_000, description="Rows that one of its answers may have."
    )
    serve_memory: str = Field(
        default="1GB",
        pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$",
        description="What all of its questions together may hold.",
    )

    llm_url: str | None = Field(
        default=None, description="An OpenAI-compatible endpoint, for `voronka evaluate-calls`."
    )
    llm_model: str | None = Field(default=None, description="Its model.")
    llm_key: str | None = Field(default=None, description="env:NAME of the variable with its key.")
    llm_stream: bool = Field(default=False, description="Ask for answers as streams.")
    llm_timeout: float = Field(
        default=120.0, gt=0, le=3600, description="Seconds in which something has to come from it."
    )

    mcp_role: str | None = Field(
        default=None, description="Role whose rows `voronka mcp` shows; unset: everything."
    )

    connections: Path = Field(
        default=Path("connections.yml"), description="Which systems are connected."
    )
    now: datetime | None = Field(
        default=None, description="What connectors and messages take for the present; ISO 8601."
    )

    notifications: Path = Field(
        default=Path("notifications.yml"), description="Who gets which messages, and when."
    )
    page_url: str | None = Field(
        default=None, description="Where the page is served; messages lead there."
    )

    @field_validator("page_url")
    @classmethod
    def _leads_to_a_page(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s#?]+", value):
            raise ValueError("write an address like https://sales.example.com/")
        return value

    @field_validator("spark")
    @classmethod
    def _is_a_spark(cls, value: str) -> str:
        found = re.fullmatch(r"session|(?:thrift|sc)://[^\s/:]+:(\d{1,5})", value, re.ASCII)
        if found is None or (found[1] and not 1 <= int(found[1]) <= 65_535):
            raise ValueError("write session, thrift://host:port or sc://host:port")
        return value

    @field_validator("spark_prefix")
    @classmethod
    def _begins_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,19}", value, re.ASCII):
            raise ValueError("write up to 20 small letters, digits and underscores, a letter first")
        return value

    @field_validator("now")
    @classmethod
    def _utc(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)

    @field_validator("llm_key")
    @classmethod
    def _names_a_variable(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"env:[A-Za-z_]\w*", value, re.ASCII):
            raise ValueError("write env:NAME, with the name of the variable that holds the key")
        return value

    @field_validator(
        *("raw_dir", "postgres_url", "dbt", "now", "page_url", "llm_url", "llm_model", "llm_key"),
        *("mcp_role", "serve_secret", "serve_identity_header", "serve_proxy"),
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("dbt_vars", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        read = parse_value(value) if value.strip() else {}
        if not isinstance(read, dict):
            raise ValueError('write variables as JSON, for example {"churn_days": 60}')
        return read

    @cached_property
    def root(self) -> Path:
        """The project directory, absolute."""
        return self.project_dir.absolute()

    @cached_property
    def data(self) -> Path:
        """The data directory, absolute."""
        return Path(os.path.normpath(self.root / self.data_dir))

    @cached_property
    def raw_zone(self) -> str:
        """The raw zone: an absolute directory or an object store's prefix."""
        if self.raw_dir is None:
            own = self.root / ORIGIN_DATA
            return str(own if own.is_dir() else self.root / DEMO_DIR)
        if self.raw_dir.startswith(OBJECT_STORES):
            return self.raw_dir.rstrip("/")
        return os.path.normpath(self.root / self.raw_dir)

    @property
    def raw_origin(self) -> str:
        """Why it is this raw zone: set by the user, found in data/raw, or the demo."""
        if self.raw_dir is not None:
            return ORIGIN_SET
        return ORIGIN_DATA if self.raw_zone == str(self.root / ORIGIN_DATA) else ORIGIN_DEMO

    @property
    def is_demo(self) -> bool:
        """Whether the raw zone is the demo company, named or by default."""
        return self.raw_zone == str(self.root / DEMO_DIR)

    @property
    def variables(self) -> Variables:
        """The dbt variables: those of dbt_project.yml, and what overrides them.

        Raises WrongUse where one is unknown or wrong.
        """
        return read_variables({**self._project_variables, **self.dbt_vars})

    def checked(self) -> Self:
        """These settings, whose variables were read. Raises WrongUse where one is wrong."""
        read_variables({**self._project_variables, **self.dbt_vars})
        return self

    @property
    def dbt_overrides(self) -> dict[str, Any]:
        """The variables whose normalised values are not what stands in dbt_project.yml."""
        stated = self._project_variables
        return {
            name: value
            for name, value in self.variables.as_json().items()
            if name not in stated or stated[name] != value
        }

    @cached_property
    def _project_variables(self) -> dict[str, Any]:
        """What stands in dbt_project.yml under `vars`."""
        file = self.root / "dbt_project.yml"
        try:
            project = yaml.safe_load(file.read_text(encoding="utf-8"))
            return {str(name): value for name, value in (project.get("vars") or {}).items()}
        except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
            raise WrongUse(
                f"{file} cannot be read: {first_line(error)}",
                "Correct it, or set VORONKA_PROJECT_DIR to the directory of dbt_project.yml.",
            ) from error

    @property
    def project_version(self) -> str:
        """The version of dbt's part of the project, with the variables of this refresh."""
        return project_version(self.root, self.dbt_overrides)

    @property
    def connections_file(self) -> Path:
        """What is connected."""
        return Path(os.path.normpath(self.root / self.connections))

    @property
    def notifications_file(self) -> Path:
        """Who gets which messages."""
        return Path(os.path.normpath(self.root / self.notifications))

    @property
    def notifications_dir(self) -> Path:
        """What has been sent, and what waits."""
        return self.data / "notifications"

    @property
    def connections_dir(self) -> Path:
        """State, locks and reports of the connections."""
        return self.data / "connections"

    @property
    def call_evaluations_dir(self) -> Path:
        """What `voronka evaluate-calls` has been answered, before it is in the raw zone."""
        return self.data / "call_evaluations"

    @property
    def build_dir(self) -> Path:
        """Private files of the build."""
        return self.data / "build"

    @property
    def build_file(self) -> Path:
        """The database that dbt writes; BI never reads it."""
        return self.build_dir / "voronka_build.duckdb"

    @property
    def spark_dir(self) -> Path:
        """Warehouse, metastore and scratch files of a Spark session in this process."""
        return self.data / "spark"

    @property
    def marts_file(self) -> Path:
        """The database of what is published, as dbt writes it; publishing is a copy of it."""
        return self.build_dir / "voronka_marts.duckdb"

    @property
    def build_files(self) -> tuple[Path, Path]:
        """All that dbt writes."""
        return (self.build_file, self.marts_file)

    @property
    def has_small_build(self) -> bool:
        """Whether questions about the build take longer to plan than to answer.

        Then each is asked in one thread; about a larger build each keeps all cores busy.
        """
        return sum(file.stat().st_size for file in self.build_files) < _SMALL_BUILD

    @property
    def scorecards_file(self) -> Path:
        """What the metrics layer makes; apart, so that the build file is only read while it is."""
        return self.build_dir / "scorecards.duckdb"

    @property
    def answers_file(self) -> Path:
        """The metrics layer's answers: scorecards come from them, marts are compared with them."""
        return self.build_dir / "metrics_answers.duckdb"

    @property
    def scorecards_cache(self) -> Path:
        """Cache entry of the scorecards and of the marts' comparison with the metrics layer."""
        return self.build_dir / "scorecards.json"

    @property
    def publication_cache(self) -> Path:
        """Cache entry of the published set."""
        return self.build_dir / "publication.json"

    @property
    def raw_expectations_cache(self) -> Path:
        """Cache entry of what the suites found in the raw zone."""
        return self.build_dir / "raw_expectations.json"

    @property
    def mart_expectations_cache(self) -> Path:
        """Cache entry of what the suites found in the marts."""
        return self.build_dir / "mart_expectations.json"

    @property
    def dashboard_cache(self) -> Path:
        """Cache entry of the page."""
        return self.build_dir / "dashboard.json"

    @property
    def tools_file(self) -> Path:
        """Versions of the tools that wrote the build."""
        return self.build_dir / "made_by.json"

    @property
    def cache_files(self) -> tuple[Path, ...]:
        """All cache entries; `--full` removes them."""
        return (
            self.refresh_cache,
            self.scorecards_cache,
            self.answers_file.with_suffix(".json"),
            self.publication_cache,
            self.raw_expectations_cache,
            self.mart_expectations_cache,
            self.dashboard_cache,
        )

    @property
    def raw_zone_file(self) -> Path:
        """Views over the raw files."""
        return self.build_dir / "raw_zone.duckdb"

    @property
    def target_dir(self) -> Path:
        """Dbt's artifacts: manifest, run results, compiled SQL, logs."""
        return self.build_dir / "target"

    @property
    def executable_target_dir(self) -> Path:
        """The same of the executable that `dbt` names."""
        return self.build_dir / "target_of_executable"

    @property
    def spark_target_dir(self) -> Path:
        """The same of dbt's target `spark`."""
        return self.build_dir / "target_of_spark"

    @property
    def refresh_cache(self) -> Path:
        """Fingerprint of the last good refresh: its inputs, and the files that it wrote."""
        return self.build_dir / "fingerprint.json"

    @property
    def record_file(self) -> Path:
        """What the last refresh found, step by step, and how it ended."""
        return self.build_dir / "refresh.json"

    @property
    def log_file(self) -> Path:
        """What the tools of the last refresh printed."""
        return self.build_dir / "refresh.log"

    @property
    def published_dir(self) -> Path:
        """What BI reads."""
        return self.data / "published"

    @property
    def published_file(self) -> Path:
        """The database that BI reads; replaced as a whole."""
        return self.published_dir / "voronka.duckdb"

    @property
    def dashboard_file(self) -> Path:
        """The page of the published file."""
        return self.published_dir / "dashboard.html"

    @property
    def postgres_file(self) -> Path:
        """What Postgres was last given, and what went wrong there."""
        return self.data / "postgres.json"

    @property
    def dagster_home(self) -> Path | None:
        """Where Dagster keeps its history, by its own variable; None where that is not set."""
        home = os.environ.get("DAGSTER_HOME")
        return Path(home) if home else None

    @property
    def lock_file(self) -> Path:
        """Held while a refresh runs."""
        return self.data / "refresh.lock"

    @property
    def holder_file(self) -> Path:
        """Who holds the lock; what is there while nobody does was killed."""
        return self.data / "refresh.holder.json"

    @property
    def temporary_dir(self) -> Path:
        """What a refresh writes for itself alone: of one that has ended, nothing is needed."""
        return self.build_dir / "tmp"

    def session(self, **options: Any) -> dict[str, Any]:
        """Options of a DuckDB session that reads a whole build."""
        return {
            "memory_limit": self.memory,
            "temp_directory": str(self.temporary_dir),
            **options,
        }

    def dbt_environment(self, engine: str = DUCKDB) -> dict[str, str]:
        """The environment of dbt's process: profiles.yml and the project read these."""
        return {
            # dbt has nothing to do with Postgres: its password stays here.
            **{name: text for name, text in os.environ.items() if name not in _SECRETS},
            "VORONKA_DATA_DIR": str(self.data),
            "VORONKA_THREADS": str(self.threads),
            **(self._on_a_cluster() if engine == SPARK else {}),
            "VORONKA_MEMORY": self.memory,
            # Incremental models of another project are rebuilt.
            "VORONKA_PROJECT_VERSION": self.project_version,
            "VORONKA_HTTPFS": str(object_store_extension(self.raw_zone) or ""),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "PYTHONUNBUFFERED": "1",
        }

    def _on_a_cluster(self) -> dict[str, str]:
        kind, _, address = self.spark.partition("://")
        host, _, port = address.partition(":")
        # dbt-spark reaches a Connect server as its session, by Spark's own variable.
        method = {"VORONKA_SPARK_METHOD": "thrift" if kind == "thrift" else "session"}
        if kind == "thrift":
            method |= {"VORONKA_SPARK_HOST": host, "VORONKA_SPARK_PORT": port}
        elif kind == "sc":
            method |= {"SPARK_REMOTE": self.spark}
        return {
            **method,
            "VORONKA_SCHEMA_PREFIX": self.spark_prefix,
            # A cluster knows schemas alone.
            "VORONKA_RAW_DATABASE": "",
        }

    def dbt_arguments(self, target: Path | None = None, engine: str = DUCKDB) -> list[str]:
        """Arguments of every dbt command; `target` is where it writes, by default `target_dir`."""
        place = str(target or self.target_dir)
        arguments = ["--project-dir", str(self.root), "--profiles-dir", str(self.root)]
        arguments += ["--target-path", place, "--log-path", place]
        arguments += ["--target", engine]
        if self.dbt_overrides:
            arguments += ["--vars", json.dumps(self.dbt_overrides, sort_keys=True)]
        return arguments


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with overrides for what is not None.

    Raises WrongUse where a value cannot be right.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except (ValidationError, ValueError) as error:
        raise WrongUse(f"A setting is wrong: {_wrong_values(error)}", _REMEDY) from error


def environment_value(name: str) -> str | None:
    """A variable of the environment that connections.yml names."""
    return os.environ.get(name)


def parse_vars(assignments: list[str], base: Mapping[str, Any]) -> dict[str, Any]:
    """`name=value` pairs as a mapping on top of `base`; values are read as JSON, else as text."""
    found = dict(base)
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise WrongUse(
                f"--var {assignment} is not name=value.", "Write for example --var churn_days=60"
            )
        found[name.strip()] = parse_value(value)
    return found


def _wrong_values(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(
            f"VORONKA_{'.'.join(str(part) for part in item['loc']).upper()}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
    return first_line(error)


_SMALL_BUILD = 200_000_000
_SECRETS = frozenset({"VORONKA_POSTGRES_URL", "VORONKA_SERVE_SECRET"})
_REMEDY = "Correct the VORONKA_* environment variable or the option; README.md lists them."
