"""Holds answers to the API's own description."""

import re
from functools import cache
from typing import Any

import jsonschema

from tests.test_schema import OPERATIONS, resolve, strict


def unnamed(path: str) -> str:
    return re.sub("<.*?>|{.*?}", "{}", path)


BY_ROUTE = {(one["method"], unnamed(one["path"])): one for one in OPERATIONS.values()}


@cache
def _validator(method: str, path: str, status: int) -> tuple[str, Any]:
    """The content type of an answer, and what tells whether a body has exactly the schema's keys."""
    responses = BY_ROUTE[method, unnamed(path)]["responses"]
    assert str(status) in responses, f"{method} {path} is not said to answer {status}"
    ((kind, described),) = resolve(responses[str(status)])["content"].items()
    schema = strict(described["schema"])
    return kind, jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def assert_described(method: str, path: str, answer: Any) -> None:
    """The answer of a route, whose ids may have any names, is one that the description has."""
    if (method, unnamed(path)) not in BY_ROUTE:  # pages, which are for people
        return
    kind, validator = _validator(method, path, answer.status_code)
    assert answer["Content-Type"] == kind
    for error in validator.iter_errors(answer.json()):
        raise AssertionError(f"{method} {path} -> {answer.status_code}: {error.message}")
