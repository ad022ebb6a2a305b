"""The OpenAPI document, made from the endpoints: what is routed is described, and nothing else."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
import re
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from .endpoint import Endpoint
from .errors import (
    BODY_TOO_LARGE,
    ENCODING_REFUSED,
    FORBIDDEN,
    INTERNAL,
    MALFORMED,
    NOT_AUTHORISED,
    SIGNATURE_REFUSED,
    TOO_MANY_TRIES,
    TOO_SLOW,
    UNAVAILABLE,
    ProblemKind,
)
from .principal import Scope
from .wire import SIGNATURE_HEADER

REF = "#/components/schemas/{model}"
ALWAYS = (INTERNAL, UNAVAILABLE)
WITH_BODY = (MALFORMED, BODY_TOO_LARGE, ENCODING_REFUSED, TOO_SLOW)


class Problem(BaseModel):
    """RFC 9457: what went wrong; `reference` is also in the cloud's log. Some kinds carry more members."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    reference: str


def document(endpoints: Sequence[Endpoint], public_url: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Commonwatt cloud", "version": version},
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {"schemas": _schemas(endpoints), "securitySchemes": _security(public_url)},
    }


def problems_of(endpoint: Endpoint) -> list[ProblemKind]:
    """Return every problem an endpoint may answer with, its own and those of the rim."""
    found = [*endpoint.problems, *ALWAYS]
    if endpoint.scopes:
        found += [NOT_AUTHORISED, FORBIDDEN]
    if Scope.DEVICE in endpoint.scopes:
        found.append(TOO_MANY_TRIES)  # wrong passwords from one address
    if endpoint.signed_body:
        found.append(SIGNATURE_REFUSED)
    if endpoint.body is not None or endpoint.bytes_body:
        found += WITH_BODY
    elif endpoint.query is not None or "{" in endpoint.path:
        found.append(MALFORMED)
    return sorted(set(found), key=lambda kind: (kind.status, kind.name))


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": _answers(endpoint) | _problems(endpoint),
        "security": [needed for scope in endpoint.scopes for needed in _needed(scope)],
    }
    if endpoint.body is not None:
        schema = {"$ref": REF.format(model=endpoint.body.__name__)}
        operation["requestBody"] = {"required": True, "content": {endpoint.body_type: {"schema": schema}}}
    elif endpoint.bytes_body:
        content = {endpoint.body_type: {"schema": {"type": "string", "format": "binary"}}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _needed(scope: Scope) -> list[dict[str, list[str]]]:
    """Return what opens an endpoint of a scope: any one of these."""
    if scope is Scope.DEVICE:
        return [{"device": []}, {"device_bearer": []}]
    return [{"oauth2": [scope.value]}]


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]
    if endpoint.signed_body:
        found.append(_signature("the detached JWS (RFC 7797) of the raw body") | {"in": "header", "required": True})
    if endpoint.query is not None:
        schema = endpoint.query.model_json_schema()
        named = schema.get("$defs", {})
        found += [
            {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": _in(member, named)}
            for name, member in schema.get("properties", {}).items()
        ]
    return found


def _in(member: Any, named: Mapping[str, Any]) -> Any:
    """Return a schema with what it names put in its place: a parameter has nowhere else to say it."""
    match member:
        case {"$ref": str(ref)}:
            others = {name: value for name, value in member.items() if name != "$ref"}
            return _in(named[ref.rpartition("/")[2]] | others, named)
        case dict():
            return {name: _in(value, named) for name, value in member.items()}
        case list():
            return [_in(value, named) for value in member]
        case _:
            return member


def _signature(description: str) -> dict[str, Any]:
    return {"name": SIGNATURE_HEADER, "description": description, "schema": {"type": "string"}}


def _answers(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, model in endpoint.answers.items():
        reply = found[str(status)] = {"description": HTTPStatus(status).phrase}
        if model is not None:
            reply["content"] = {endpoint.answer_type: {"schema": {"$ref": REF.format(model=model.__name__)}}}
        elif endpoint.answer_type != "application/json":
            reply["content"] = {endpoint.answer_type: {"schema": {"type": "string"}}}
        if status == HTTPStatus.OK:
            for other in endpoint.other_types:
                reply["content"][other] = {"schema": {"type": "string"}}
        if endpoint.signed_answer:
            header = _signature("the cloud's detached JWS (RFC 7797) of the raw body")
            header.pop("name")
            reply["headers"] = {SIGNATURE_HEADER: header}
    return found


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in problems_of(endpoint):
        content = {"application/problem+json": {"schema": {"$ref": REF.format(model=Problem.__name__)}}}
        before = found.get(str(kind.status), {}).get("description")
        words = f"`{kind.name}`: {kind.title}"
        found[str(kind.status)] = {"description": f"{before}; {words}" if before else words, "content": content}
    return found


def _schemas(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    models: set[type[BaseModel]] = {Problem}
    for endpoint in endpoints:
        models |= {model for model in (endpoint.body, *endpoint.answers.values()) if model is not None}
    ordered = sorted(models, key=lambda model: model.__name__)
    schemas, definitions = models_json_schema([(model, "validation") for model in ordered], ref_template=REF)
    assert len(schemas) == len(ordered)
    found: dict[str, Any] = definitions["$defs"]
    return found


def _security(public_url: str) -> dict[str, Any]:
    scopes = {
        Scope.SITE.value: "a paired site",
        Scope.OWNER.value: "an owner, for what is theirs",
        Scope.MANAGER.value: "who runs one community",
        Scope.OPERATOR.value: "who runs the cloud",
        Scope.UPPER.value: "an upper system, which only reads",
        Scope.PROVIDER.value: "a power provider: its readings, its equipment, and what it must correct",
    }
    return {
        "device": {"type": "http", "scheme": "basic", "description": "a device's id and its unique password"},
        "device_bearer": {"type": "http", "scheme": "bearer", "description": "the same two, with a dot between"},
        "oauth2": {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": f"{public_url}/v1/token", "scopes": scopes}},
        },
    }
