"""dbt's manifest: when it is current, and what its nodes mean to us."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.base.errors import BuildFailed
from orchestration.base.files import read_json, write_json
from orchestration.base.settings import Settings
from orchestration.models.run import parse

MANAGER_KEY = "manager_id"
QUARANTINE = "quarantine"
PUBLISHED_SCHEMAS = ("marts", "metrics", QUARANTINE, "quality")
_QUARANTINE_TEXTS = {
    "reasons": "Why the row is here: column and rule for each rule that it broke, `amount: range`.",
    "event_on": "Local date of what the row tells of, else of its load.",
    "_file": "The raw file that the row came from.",
}

_MANIFESTS = ("manifest.json", "semantic_manifest.json")

Manifest = Mapping[str, Any]


def project_fingerprint(settings: Settings) -> str:
    """What the manifest depends on: the project and where it lies, and which dbt builds it."""
    parts = (settings.project_version, str(settings.root), str(settings.data), str(settings.dbt))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def is_manifest_current(settings: Settings, fingerprint: str) -> bool:
    """Whether dbt's manifests were written for the project as it is, and are whole.

    dbt writes them in place: a full disk or a killed process leaves half a file.
    """
    mark = read_json(settings.target_dir / "fingerprint.json")
    return mark.get("fingerprint") == fingerprint and all(
        _is_whole(settings.target_dir / name) for name in _MANIFESTS
    )


def mark_manifest(settings: Settings, fingerprint: str) -> None:
    """Remember which project the manifest describes."""
    write_json(settings.target_dir / "fingerprint.json", {"fingerprint": fingerprint})


def load_manifest(settings: Settings) -> Manifest:
    """The current manifest, parsed only if the project changed.

    Raises BuildFailed where the project is not valid.
    """
    fingerprint = project_fingerprint(settings)
    if not is_manifest_current(settings, fingerprint):
        done = parse(settings)
        if not done.is_success:
            raise BuildFailed(
                f"dbt cannot read the project: {done.error.strip()}",
                "Correct the model or its YAML, then refresh again.",
            )
        mark_manifest(settings, fingerprint)
    return read_manifest(settings.target_dir)


def read_manifest(target: Path) -> Manifest:
    """The manifest in one of dbt's target folders."""
    import orjson

    manifest = orjson.loads((target / "manifest.json").read_bytes())
    return with_described_quarantine(with_attached_tests(manifest))


def _is_whole(file: Path) -> bool:
    import orjson

    try:
        orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def with_attached_tests(manifest: dict[str, Any]) -> Manifest:
    """The manifest with every test attached to a model, so that each becomes an asset check.

    A test of several models that names none of them is attached to the last one in the order of
    layers: that is the model whose result the test would call wrong.
    """
    for node in manifest["nodes"].values():
        if node["resource_type"] != "test" or node.get("attached_node"):
            continue
        parents = [parent for parent in node["depends_on"]["nodes"] if parent in manifest["nodes"]]
        if parents:
            node["attached_node"] = max(parents, key=lambda name: (_depth(manifest, name), name))
            # A test of one source and one model would otherwise be attached to neither.
            node["depends_on"] = {**node["depends_on"], "nodes": sorted(parents)}
    return manifest


def with_described_quarantine(manifest: Manifest) -> Manifest:
    """The manifest with descriptions of quarantine: its columns are the raw tables', as text."""
    raw_tables = {
        f"{source['source_name']}_{source['name']}": source
        for source in manifest["sources"].values()
    }
    for node in manifest["nodes"].values():
        if node["schema"] != QUARANTINE or node["resource_type"] != "model":
            continue
        raw = raw_tables[node["alias"]]
        texts = {name: column["description"] for name, column in raw["columns"].items()}
        node["description"] = (
            f"Rows of `{raw['source_name']}.{raw['name']}` that broke the contract, as they were "
            f"given; no mart counts them. {raw['description']}"
        )
        node["columns"] = {
            name: {"name": name, "description": text}
            for name, text in (texts | _QUARANTINE_TEXTS).items()
        }
    return manifest


def _depth(manifest: Manifest, unique_id: str) -> int:
    layers = {"staging": 0, QUARANTINE: 1, "intermediate": 2, "marts": 3, "quality": 4}
    return layers.get(manifest["nodes"][unique_id]["schema"], -1)


@dataclass(frozen=True)
class PublishedModel:
    """A table that is published: where it is, its key and what it says about itself.

    A table with `russian_names` of its columns is also published as a view that has them.
    `is_scorecard` says that the metrics layer makes it, in its own file.
    `personal` are the columns with personal data, `managers` those with a manager's key;
    `month_column` is the day by whose months its Parquet copy is divided; empty: it is one file.
    `is_personal` says that the whole table is personal, `counts_events` that it has a row for each
    event of the raw zone, so that it shrinks only where the zone does.
    """

    schema: str
    name: str
    grain: tuple[str, ...]
    description: str
    columns: Mapping[str, str]
    russian_names: Mapping[str, str] = field(default_factory=dict)
    personal: frozenset[str] = frozenset()
    managers: frozenset[str] = frozenset()
    is_personal: bool = False
    is_scorecard: bool = False
    month_column: str = ""
    counts_events: bool = False

    @property
    def full_name(self) -> str:
        """`marts.kpi_daily`."""
        return f"{self.schema}.{self.name}"


def published_models(manifest: Manifest) -> list[PublishedModel]:
    """The models of the published schemas, by schema and name."""
    models = [
        PublishedModel(
            schema=node["schema"],
            name=node["alias"],
            grain=tuple((node["config"].get("meta") or {}).get("grain") or ()),
            description=node["description"].strip(),
            columns={
                column["name"]: column["description"].strip()
                for column in node["columns"].values()
                if column["description"].strip()
            },
            personal=_columns_where(node, lambda name, meta: bool(meta.get("personal"))),
            managers=_columns_where(
                node, lambda name, meta: name == MANAGER_KEY or meta.get("names") == "manager"
            ),
            is_personal=bool((node["config"].get("meta") or {}).get("personal")),
            month_column=(node["config"].get("meta") or {}).get("parquet_month") or "",
            counts_events=bool((node["config"].get("meta") or {}).get("counts_events")),
        )
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed")
        and node["schema"] in PUBLISHED_SCHEMAS
        and node["config"]["materialized"] != "ephemeral"
    ]
    return sorted(models, key=lambda model: model.full_name)


def _columns_where(
    node: Mapping[str, Any], holds: Callable[[str, Mapping[str, Any]], bool]
) -> frozenset[str]:
    """Columns by their name and their `config.meta`."""
    return frozenset(
        name
        for name, column in node["columns"].items()
        if holds(name, (column.get("config") or {}).get("meta") or {})
    )
