"""The dbt models as assets and the dbt tests as their checks."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator

from orchestration.base.record import Record
from orchestration.base.settings import Settings
from orchestration.defs.failures import plain_failures
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.models.dbt import Manifest
from orchestration.models.run import OUTLOOK, NodeResult
from orchestration.models.step import STEP as MODELS
from orchestration.models.step import after_outlook, build, built_nodes
from orchestration.outlook.step import foresee


class Translator(DagsterDbtTranslator):  # type: ignore[misc]  # it has no types
    """Asset keys are `<schema>/<name>`, those of raw tables `<source>/<table>`."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The key of a model, a seed or a source."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["alias"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """One group for each schema."""
        return str(dbt_resource_props["schema"])


def build_models(settings: Settings, manifest: Manifest) -> dg.AssetsDefinition:
    """The step in which dbt builds and tests everything in the private file but the outlook."""
    return _dbt_step(settings, manifest, MODELS, built_nodes(manifest) - after_outlook(manifest))


def build_outlook(settings: Settings, manifest: Manifest) -> dg.AssetsDefinition:
    """The step that learns what will close from the past, and builds what reads it."""
    return _dbt_step(settings, manifest, OUTLOOK, after_outlook(manifest))


def _dbt_step(
    settings: Settings, manifest: Manifest, name: str, nodes: Collection[str]
) -> dg.AssetsDefinition:
    translator = Translator()
    specs, check_specs = _specs(manifest, translator, nodes)

    @dg.multi_asset(
        specs=specs,
        check_specs=check_specs,
        name=name,
        # What was learned is of all deals: its models are built together.
        can_subset=name == MODELS,
        required_resource_keys={REFRESH_LOCK},
        allow_arbitrary_check_specs=True,
    )
    def models(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with plain_failures():
            if name == OUTLOOK:
                results = foresee(settings, manifest)
            elif context.is_subset:
                results = build(settings, manifest, _selection(context, manifest, translator))
            else:
                results = build(settings, manifest)
        record = Record.load(settings.record_file)
        rows = {(model.schema, model.name): model.rows for model in record.models}
        for result in results:
            node = manifest["nodes"].get(result.unique_id)
            if node is not None:
                yield from _events(node, result, manifest, translator, rows, record.as_of_date)

    return models


def _selection(
    context: dg.AssetExecutionContext, manifest: Manifest, translator: DagsterDbtTranslator
) -> list[str]:
    """Arguments of dbt for the assets and checks that a run asks for."""
    checks = {key.name for key in context.selected_asset_check_keys}
    wanted = [
        node["name"]
        for node in manifest["nodes"].values()
        if (node["resource_type"] == "test" and node["name"] in checks)
        or (
            node["resource_type"] in ("model", "seed")
            and translator.get_asset_key(node) in context.selected_asset_keys
        )
    ]
    return ["--select", *sorted(wanted), "--indirect-selection", "empty"]


def _events(
    node: Mapping[str, Any],
    result: NodeResult,
    manifest: Manifest,
    translator: DagsterDbtTranslator,
    rows: Mapping[tuple[str, str], int | None],
    as_of: str | None,
) -> Iterator[Any]:
    """What Dagster is told of a node that ended well."""
    if node["resource_type"] == "test":
        owner = manifest["nodes"].get(node.get("attached_node") or "")
        if owner is not None and result.status != "skipped":
            is_error = str(node["config"].get("severity", "error")).lower() == "error"
            yield dg.AssetCheckResult(
                asset_key=translator.get_asset_key(owner),
                check_name=node["name"],
                passed=result.status == "pass",
                severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
                metadata={"status": result.status, "failing_rows": result.failures or 0},
            )
    elif result.status == "success":
        metadata: dict[str, Any] = {"seconds": round(result.seconds, 3)}
        count = rows.get((node["schema"], node["alias"]))
        if count is not None:
            metadata["dagster/row_count"] = dg.MetadataValue.int(count)
        if as_of:
            metadata["as_of_date"] = as_of
        yield dg.MaterializeResult(asset_key=translator.get_asset_key(node), metadata=metadata)


def _specs(
    manifest: Manifest, translator: DagsterDbtTranslator, built: Collection[str]
) -> tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]:
    """Models and seeds as assets, their data tests as checks of the model they judge."""
    nodes = manifest["nodes"]
    models = sorted(name for name in built if nodes[name]["resource_type"] in ("model", "seed"))
    tests = sorted(name for name in built if nodes[name]["resource_type"] == "test")
    specs = {name: translator.get_asset_spec(manifest, name, None) for name in models}
    checks = []
    for test in tests:
        owner = specs.get(nodes[test].get("attached_node") or "")
        if owner is not None:
            check = translator.get_asset_check_spec(owner, manifest, test, None)
            if check is not None:
                checks.append(check)
    return list(specs.values()), checks
