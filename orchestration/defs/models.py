"""The dbt models as assets and the dbt tests as their checks."""

import importlib.metadata
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from packaging.version import Version

from orchestration.base import progress
from orchestration.base.errors import BuildFailed, ChecksFailed
from orchestration.base.files import read_json
from orchestration.base.record import (
    ERROR,
    FAIL,
    PASS,
    WARN,
    CheckOutcome,
    ModelOutcome,
    Record,
    step,
)
from orchestration.base.settings import Settings
from orchestration.defs.resources import REFRESH_LOCK
from orchestration.models.dbt import BUILD, Manifest, without_dbt
from orchestration.models.dbt_keep import KEPT
from orchestration.warm import WarmTools

with without_dbt():
    from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation
    from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context

STEP = "models"
_SHOWN_FAILURES = 20
_SECONDS_TO_STOP = 5


class Translator(DagsterDbtTranslator):  # type: ignore[misc]  # imported without types
    """Asset keys are `<schema>/<name>`, those of raw tables `<source>/<table>`."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """The key of a model, a seed or a source."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["alias"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """One group for each schema."""
        return str(dbt_resource_props["schema"])


def build_models(settings: Settings, manifest: Manifest, tools: WarmTools) -> dg.AssetsDefinition:
    """The step in which dbt builds and tests everything in the private file."""
    translator = Translator()
    specs, check_specs = _specs(manifest, translator)

    @dg.multi_asset(
        specs=specs,
        check_specs=check_specs,
        name="models",
        can_subset=True,
        required_resource_keys={REFRESH_LOCK},
        allow_arbitrary_check_specs=True,
    )
    def models(context: dg.AssetExecutionContext) -> Iterator[Any]:
        progress.tell(STEP, total=len(specs) + len(check_specs))
        with step(settings.record_file, STEP) as record:
            record.as_of_date = None
            invocation = _start(settings, manifest, tools, context)
            rows: dict[str, int] = {}
            for event in invocation.stream_raw_events():
                _note(event.raw_event, record, rows)
                for asset_event in event.to_default_asset_events(
                    manifest=manifest,
                    dagster_dbt_translator=invocation.dagster_dbt_translator,
                    context=context,
                    target_path=invocation.target_path,
                ):
                    yield _with_metadata(asset_event, event.raw_event, record)
            _judge(settings, manifest, invocation, record, rows)
        if not context.is_subset:
            tools.begin_offers()

    return models


def _start(
    settings: Settings, manifest: Manifest, tools: WarmTools, context: dg.AssetExecutionContext
) -> DbtCliInvocation:
    """A running dbt. Not DbtCliResource.cli: it starts dbt twice more to ask for its version."""
    process = tools.start_dbt()
    arguments = list(BUILD)
    translator: DagsterDbtTranslator = Translator()
    if context.is_subset:
        chosen = get_updated_cli_invocation_params_for_context(context, manifest, translator)
        arguments += chosen.selection_args
        if chosen.indirect_selection:
            arguments += ["--indirect-selection", chosen.indirect_selection]
    invocation = DbtCliInvocation(
        process=process.build(arguments),
        manifest=manifest,
        dagster_dbt_translator=translator,
        project_dir=settings.root,
        target_path=settings.target_dir,
        raise_on_error=False,
        cli_version=Version(importlib.metadata.version("dbt-core")),
        context=context,
    )
    invocation.termination_timeout_seconds = _SECONDS_TO_STOP
    return invocation


def _note(event: Mapping[str, Any], record: Record, rows: dict[str, int]) -> None:
    """Keep what one event of dbt says and show it."""
    data = event["data"]
    node = data.get("node_info") or {}
    if "unique_id" not in node or not event["info"]["name"].startswith("Log"):
        return
    if event["info"]["name"] == "LogStartLine":
        return
    if "rows" in data:
        rows[node["unique_id"]] = data["rows"]
    if data.get("as_of_date"):
        record.as_of_date = data["as_of_date"]
    progress.tell(STEP, node["node_name"], node["node_status"])


def _with_metadata(asset_event: Any, event: Mapping[str, Any], record: Record) -> Any:
    """A model's output with its row count and the day that the warehouse takes for today."""
    if not isinstance(asset_event, dg.Output):
        return asset_event
    metadata: dict[str, Any] = {}
    if "rows" in event["data"]:
        metadata["dagster/row_count"] = dg.MetadataValue.int(event["data"]["rows"])
    if record.as_of_date:
        metadata["as_of_date"] = dg.MetadataValue.text(record.as_of_date)
    return asset_event.with_metadata({**asset_event.metadata, **metadata})


def _judge(
    settings: Settings,
    manifest: Manifest,
    invocation: DbtCliInvocation,
    record: Record,
    rows: Mapping[str, int],
) -> None:
    """Read how everything ended from dbt's results; raise if it does not allow to go on."""
    code = invocation.process.wait()
    results = read_json(settings.target_dir / "run_results.json").get("results", [])
    if not results and code:
        raise BuildFailed(
            "dbt could not start building.",
            f"See {settings.build_dir / 'dbt.log'}; then refresh again.",
            [line.strip() for line in invocation._error_messages[:_SHOWN_FAILURES]],
        )
    built, dbt_checks = outcomes(manifest, results, rows)
    record.merge_models(built)
    record.merge_checks(dbt_checks)
    broken = [model for model in built if model.status == ERROR]
    if broken:
        raise BuildFailed(
            f"dbt could not build {broken[0].schema}.{broken[0].name}"
            + (f" and {len(broken) - 1} more" if len(broken) > 1 else "")
            + ". Nothing was published.",
            f"The compiled SQL is in {settings.target_dir / 'run'}; correct the model or the data.",
            [f"{m.schema}.{m.name}: {m.message}" for m in broken[:_SHOWN_FAILURES]],
        )
    stopping = [check for check in dbt_checks if check.stops_publication]
    if stopping or code:
        raise ChecksFailed(
            f"{len(stopping)} blocking checks failed. Nothing was published.",
            "`voronka status` lists them; correct the data or the models, then refresh again.",
            [f"{c.name}: {c.message}" for c in stopping[:_SHOWN_FAILURES]],
        )


def outcomes(
    manifest: Manifest, results: list[dict[str, Any]], rows: Mapping[str, int]
) -> tuple[list[ModelOutcome], list[CheckOutcome]]:
    """Dbt's run results as models and checks of the record."""
    models, checks = [], []
    for result in results:
        node = manifest["nodes"].get(result["unique_id"])
        if node is None:
            continue
        message = " ".join(str(result.get("message") or "").split())
        if node["resource_type"] == "test":
            checks.append(_check(manifest, node, result, message))
            continue
        status = ERROR if result["status"] in ("error", "fail", "runtime error") else "ok"
        if result["status"] == "skipped":
            status = "skipped"
        elif message == KEPT:
            status = "kept"
        models.append(
            ModelOutcome(
                schema=node["schema"],
                name=node["alias"],
                status=status,
                rows=rows.get(result["unique_id"]),
                seconds=round(float(result["execution_time"]), 3),
                message=message if status == ERROR else "",
            )
        )
    return models, checks


def _check(
    manifest: Manifest, node: Mapping[str, Any], result: Mapping[str, Any], message: str
) -> CheckOutcome:
    attached = manifest["nodes"].get(node.get("attached_node") or "")
    severity = str(node["config"].get("severity", "error")).lower()
    status = {"pass": PASS, "warn": WARN, "fail": FAIL, "skipped": "skipped"}.get(
        result["status"], ERROR
    )
    return CheckOutcome(
        name=node["name"],
        kind="dbt",
        asset=f"{attached['schema']}.{attached['alias']}" if attached else "",
        severity=severity,
        status=status,
        failing_rows=result.get("failures"),
        message="" if status == PASS else message,
    )


def _specs(
    manifest: Manifest, translator: DagsterDbtTranslator
) -> tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]:
    """Every model and seed as an asset, every data test as a check of the model it judges.

    What dbt_assets does for a whole project, without importing dbt to select all of it.
    """
    nodes = manifest["nodes"]
    models = sorted(name for name in nodes if nodes[name]["resource_type"] in ("model", "seed"))
    tests = sorted(name for name in nodes if nodes[name]["resource_type"] == "test")
    specs = {name: translator.get_asset_spec(manifest, name, None) for name in models}
    checks = []
    for test in tests:
        owner = specs.get(nodes[test].get("attached_node") or "")
        if owner is not None:
            check = translator.get_asset_check_spec(owner, manifest, test, None)
            if check is not None:
                checks.append(check)
    return list(specs.values()), checks
