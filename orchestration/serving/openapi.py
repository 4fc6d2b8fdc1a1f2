"""The OpenAPI document, from the declarations that check the parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestration.serving.endpoints import Endpoint
from orchestration.serving.problems import MEDIA_TYPE

_PROBLEMS = {
    "400": "The question cannot be answered: `detail` says why, `remedy` what to do.",
    "401": "Who asks is not known.",
    "403": "What is asked for is not for this viewer.",
    "422": "The question takes too long, or its answer is too large.",
    "503": "Too many questions at once, or nothing is published; see Retry-After.",
}


def document(endpoints: Iterable[Endpoint[Any]], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of these addresses."""
    schemas: dict[str, Any] = {
        "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "remedy": {"type": "string", "description": "What to do about it."},
                "errors": {"type": "array", "items": {"type": "string"}},
            },
        }
    }
    paths = {each.path: {"get": _operation(each, schemas)} for each in endpoints}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Voronka",
            "version": version,
            "description": "Sales figures of the published file, by the definitions that they "
            "were made with. Read only.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "voronka"},
            },
        },
        "security": [{"token": []}, {"cookie": []}, {}],
    }


def _operation(endpoint: Endpoint[Any], schemas: dict[str, Any]) -> dict[str, Any]:
    declared = endpoint.parameters.model_json_schema(
        ref_template="#/components/schemas/{model}", mode="validation"
    )
    schemas.update(declared.get("$defs", {}))
    required = declared.get("required", [])
    content: dict[str, Any] = {kind: {} for kind in endpoint.media_types.values()}
    first = next(iter(content))
    if endpoint.schema:
        content[first] = {"schema": dict(endpoint.schema)}
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "operationId": endpoint.path.strip("/").replace("/", "_") or "page",
        "summary": endpoint.summary,
        **({"description": endpoint.description} if endpoint.description else {}),
        "parameters": [
            _parameter(name, dict(schema), name in required)
            for name, schema in declared.get("properties", {}).items()
        ],
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": content,
            },
            "304": {"description": "The answer that you have is still right."},
            **{
                status: {"description": text, "content": problem}
                for status, text in _PROBLEMS.items()
            },
        },
    }


def _parameter(name: str, schema: dict[str, Any], is_required: bool) -> dict[str, Any]:
    schema.pop("title", None)
    found: dict[str, Any] = {"name": name, "in": "query", "required": is_required}
    if text := schema.pop("description", ""):
        found["description"] = text
    if schema.get("type") == "array":
        # Pydantic does not know what a validator of its own makes of a text.
        for wrong, right in (("minLength", "minItems"), ("maxLength", "maxItems")):
            if wrong in schema:
                schema[right] = schema.pop(wrong)
        found |= {"style": "form", "explode": True}
    return {**found, "schema": schema}
