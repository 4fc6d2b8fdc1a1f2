"""connections.yml: which connections there are, each checked by the model of its kind."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from orchestration.base.errors import WrongUse
from orchestration.base.settings import Settings
from orchestration.base.yaml_file import read_yaml_mapping
from orchestration.connectors.secrets import secret_line

if TYPE_CHECKING:
    from orchestration.connectors.connector import Connector

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Connection(BaseModel):
    """Keys that every kind has. A kind adds its own; each key says what it is and an example.

    A key with the extra `shown` stands in the example block as it is; the others stand there as
    comments, with what they are by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    # What `prefix` is where nothing is said; None: the connection's name.
    default_prefix: ClassVar[str | None] = None

    name: str = Field(exclude=True, description="the connection's name: yours to choose")
    kind: str
    enabled: bool = Field(default=True, description="false: only run when named")
    prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z][A-Za-z0-9_.-]*[:_-]?)?$",
        description="begins every key that comes from here; two connections must differ in it",
    )
    start_date: date | None = Field(
        default=None, description="the oldest day to read", examples=["2024-01-01"]
    )

    @property
    def partners(self) -> Sequence[str]:
        """Connections whose keys are meant to meet these: they read the same system."""
        return ()

    @property
    def page_urls(self) -> Mapping[str, str]:
        """Addresses by kind (lead, deal, contact …), `{id}` in each (`links`)."""
        return {}


class HttpConnection(Connection):
    """A connection that speaks HTTP."""

    base_url: str = Field(default="", description="another address: a proxy, your own server")

    @field_validator("base_url")
    @classmethod
    def encrypted(cls, value: str) -> str:
        """An address that secrets may go to. Raises ValueError."""
        if not value:
            return value
        address = urlsplit(value)
        if address.scheme == "https" or (
            address.scheme == "http" and address.hostname in _LOOPBACK
        ):
            return value.rstrip("/")
        raise ValueError(
            "has to begin with https:// (http:// only for this machine): secrets go there"
        )


def read_connections(
    settings: Settings, kinds: Mapping[str, type[Connector[Any]]]
) -> dict[str, Connection]:
    """The connections by name, in the order of the file; none where there is no file.

    Raises WrongUse with all that is wrong in it.
    """
    path = settings.connections_file
    if not path.exists():
        return {}
    document = read_yaml_mapping(
        path,
        "names to connections",
        "See connections.example.yml, or `voronka connect add KIND`.",
    )
    problems: list[str] = []
    found: dict[str, Connection] = {}
    for name, keys in document.items():
        connection = _connection(name, keys, kinds, problems)
        if connection is not None:
            found[connection.name] = connection
    problems += [
        f"{it.name}: same_ids_as: there is no connection {partner}"
        for it in found.values() for partner in it.partners if partner not in document
    ]  # fmt: skip
    problems += clashes(found.values(), kinds)
    if problems:
        noun = "problem" if len(problems) == 1 else "problems"
        raise WrongUse(
            f"{path} has {len(problems)} {noun}; nothing was read.",
            "Correct the file; `voronka connect add KIND` prints a block with every key.",
            problems,
        )
    return found


def clashes(
    connections: Iterable[Connection], kinds: Mapping[str, type[Connector[Any]]]
) -> list[str]:
    """Pairs of connections whose keys could meet in one table."""
    owners: dict[tuple[str, str], list[Connection]] = {}
    problems: dict[tuple[str, str], str] = {}
    for connection in connections:
        for table, space, key in kinds[connection.kind].key_spaces(connection):
            others = owners.setdefault((table, space), [])
            for other in others:
                if other.name in connection.partners or connection.name in other.partners:
                    continue
                problems.setdefault(
                    (other.name, connection.name),
                    f"{connection.name}: its keys could meet those of {other.name} in {table}: "
                    f"both have {key} {space!r}. Give one of them another {key}"
                    + kinds[connection.kind].same_system_hint(other.name),
                )
            others.append(connection)
    return list(problems.values())


def _connection(
    name: object, keys: object, kinds: Mapping[str, type[Connector[Any]]], problems: list[str]
) -> Connection | None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems.append(f"{name}: a connection's name is small letters, digits and _")
        return None
    if not isinstance(keys, dict) or "kind" not in keys:
        problems.append(f"{name}: `kind` is missing; it is one of {', '.join(sorted(kinds))}")
        return None
    kind = kinds.get(str(keys["kind"]))
    if kind is None:
        near = _nearest(str(keys["kind"]), kinds)
        problems.append(
            f"{name}: kind {keys['kind']} is not known{near}; there are {', '.join(sorted(kinds))}"
        )
        return None
    model = kind.config
    given = {str(key): value for key, value in keys.items()}
    if "name" in given:
        problems.append(f"{name}: `name` is not a key; the name is what stands before the colon")
        return None
    if given.get("prefix") is None:
        given["prefix"] = name if model.default_prefix is None else model.default_prefix
    try:
        return model.model_validate({**given, "name": name})
    except ValidationError as error:
        problems += [_explain(name, model, it) for it in error.errors(include_url=False)]
        return None


def _explain(name: str, model: type[Connection], problem: ErrorDetails) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{name}: {key} is not a key of this kind{_nearest(key, model.model_fields)}"
    if problem["type"] == "missing":
        return f"{name}: {key} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if message == "literal secret":
        return f"{name}: {key} holds a secret; write  {secret_line(name, key)}"
    return f"{name}: {key}: {message}" if key else f"{name}: {message}"


def secret_keys(model: type[Connection]) -> list[str]:
    """The keys of a kind that hold a reference to a secret."""
    return [key for key, field in model.model_fields.items() if extra_of(field).get("secret")]


def extra_of(field: FieldInfo) -> Mapping[str, Any]:
    """What the frame knows of a key beside its type: `secret`, `shown`."""
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def example_block(kind: type[Connector[Any]], name: str | None = None) -> str:
    """The commented block of one kind: every key, what it means and what it is by default."""
    name = name or kind.kind.removesuffix("_sql").removesuffix("_csv")
    lines = [f"# {kind.title}. docs/connectors/{kind.page}", f"{name}:", f"  kind: {kind.kind}"]
    fields = kind.config.model_fields
    for key in _in_order(kind.config):
        field = fields[key]
        if extra_of(field).get("secret"):
            text = secret_line(name, key).partition(": ")[2]
        else:
            default = field.get_default(call_default_factory=True)
            text = _flow(field.examples[0] if field.examples else default)
        mark = "  " if _is_shown(field) else "  # "
        note = f"  # {field.description}" if field.description else ""
        lines.append(f"{mark}{key}: {text}".rstrip() + note)
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value in YAML, on one line."""
    if value is None or value == "":
        return ""
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=1_000)
    return text.strip().removesuffix("...").strip()


def _is_shown(field: FieldInfo) -> bool:
    return field.is_required() or bool(extra_of(field).get("shown"))


def _in_order(model: type[Connection]) -> Sequence[str]:
    """What has to be filled in first, then the kind's own keys, then those of all kinds."""
    fields = model.model_fields
    common = {*HttpConnection.model_fields}
    own = [key for key in model.__annotations__ if key in fields]
    rest = [key for key in fields if key not in own and key not in common]
    listed = [*own, *rest, *(key for key in HttpConnection.model_fields if key in fields)]
    listed = [key for key in dict.fromkeys(listed) if key not in ("name", "kind")]
    return sorted(listed, key=lambda key: not _is_shown(fields[key]))
