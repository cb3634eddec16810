"""Holds answers to the API's own description."""

import re
from functools import cache
from typing import Any

import jsonschema
from django.urls import Resolver404
from django.urls import resolve as find_view

from aimessage.api.problems import PROBLEM_TYPE
from aimessage.api.system import _schema
from aimessage.tests.asserts import assert_known_codes

SPEC = _schema()
OPERATIONS = {
    operation["operationId"]: {"method": method.upper(), "path": path, **operation}
    for path, methods in SPEC["paths"].items()
    for method, operation in methods.items()
}


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follows a `$ref`; returns any other node as it is."""
    while "$ref" in node:
        _, *steps = node["$ref"].split("/")
        node = SPEC
        for step in steps:
            node = node[step]
    return node


def strict(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as a JSON Schema that takes no properties but those that it names."""
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in resolve(schema).items()}
    if "allOf" in schema:
        schema["allOf"] = [strict(part) for part in schema["allOf"]]
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema["additionalProperties"] = False
    return {"anyOf": [schema, {"type": "null"}]} if schema.pop("nullable", False) else schema


def check(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(value, strict(schema), format_checker=jsonschema.FormatChecker())


def unnamed(path: str) -> str:
    return re.sub("<.*?>|{.*?}", "{}", path)


BY_ROUTE = {(one["method"], unnamed(one["path"])): one for one in OPERATIONS.values()}


@cache
def _validator(method: str, path: str, status: int) -> tuple[str, Any]:
    """The content type of an answer, and a validator that takes exactly the keys of its schema."""
    responses = BY_ROUTE[method, unnamed(path)]["responses"]
    assert str(status) in responses, f"{method} {path} is not said to answer {status}"
    content = resolve(responses[str(status)]).get("content")
    if content is None:  # no body, and no content type
        return "", jsonschema.Draft202012Validator({})
    ((kind, described),) = content.items()
    schema = strict(described["schema"])
    return kind, jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def assert_described(method: str, path: str, answer: Any) -> None:
    """Holds an answer to the description. The path may call its ids by any names."""
    if (method, unnamed(path)) not in BY_ROUTE:  # pages, which are for people
        return
    kind, validator = _validator(method, path, answer.status_code)
    assert answer.get("Content-Type", "") == kind
    if "json" not in kind:  # tests/test_event_streams.py reads streams
        return
    for error in validator.iter_errors(answer.json()):
        raise AssertionError(f"{method} {path} -> {answer.status_code}: {error.message}")


@cache
def described_codes(method: str, path: str) -> dict[int, set[str]]:
    """The codes that the description lists for an operation, by status."""
    return {
        status: set(resolve(described["schema"])["properties"]["code"]["enum"])
        for status, described in _problems(method, path).items()
    }


@cache
def described_sentences(method: str, path: str) -> dict[int, set[str]]:
    """The sentences in the examples of the description, by status."""
    return {
        status: {example["value"]["detail"] for example in described["examples"].values()}
        for status, described in _problems(method, path).items()
    }


def _problems(method: str, path: str) -> dict[int, Any]:
    return {
        int(status): described
        for status, response in BY_ROUTE[method, unnamed(path)]["responses"].items()
        for kind, described in resolve(response).get("content", {}).items()
        if kind == PROBLEM_TYPE
    }


DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
#: The statuses of errors whose sentences depend neither on the request nor, but for a date, on the time.
FIXED_SENTENCES = {401, 403, 404, 409, 422, 500, 503}


def assert_codes_described(answer: Any) -> None:
    """Where the answer is a problem, the description of its operation has its code and its sentence."""
    if answer.status_code < 400 or answer.get("Content-Type") != PROBLEM_TYPE or not answer.content:
        return
    body = answer.json()
    assert_known_codes(body)
    method, path = answer.request["REQUEST_METHOD"], answer.request["PATH_INFO"]
    if path.endswith("//"):  # no such path
        return
    try:
        route = f"/{find_view(path if path == '/' else path.rstrip('/')).route}"
    except Resolver404:
        return
    if (method, unnamed(route)) in BY_ROUTE:
        listed = described_codes(method, route).get(answer.status_code, set())
        assert body["code"] in listed, f"{method} {route} -> {answer.status_code} {body}"
        if answer.status_code in FIXED_SENTENCES:
            shown = {
                DATE.sub("", sentence) for sentence in described_sentences(method, route)[answer.status_code]
            }
            assert DATE.sub("", body["detail"]) in shown, f"{route}: {body}"
