"""Hostile values in every field of every body, every query parameter and every path.

What there is to attack is read off the API's own description, so that a new field is attacked as well.
"""

import json
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.api.problems import PROBLEM_TYPE
from assistant.views import questions
from conftest import ApiClient
from tests.factories import (
    PASSWORD,
    AddressFactory,
    BlockFactory,
    MessageFactory,
    ReplyFactory,
    ReportFactory,
)
from tests.routes import share, undone

#: As they stand in a JSON text, since several of them cannot be made by a JSON writer.
JSON_VALUES = [
    *("null", "true", "false", "0", "-1", "2.7", "1e999", "-1e999", "NaN", "Infinity", "[]", "{}"),
    *("99999999999999999999", "9223372036854775807", "9223372036854775808"),
    *("1" + "0" * 4000, "1" + "0" * 5000),
    *('""', '" "', '"1"', '"abc"', '"%00"', '"../../etc/passwd"', '"<script>"'),
    *(r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"\udfff\ud800"', r'"\u202e\u2066"'),
    *(r'"\r\nSet-Cookie: x=1"', '"\'; DROP TABLE accounts_user; --"', '{"$ne": null}', "[1, [2, [3]]]"),
    *(json.dumps("x" * 30_000), json.dumps("\U0001f469\u200d\U0001f680" * 99)),
    *("[" * 60 + "]" * 60, "[" * 100_000 + "]" * 100_000, '{"a":' * 90 + "1" + "}" * 90),
]
BODIES = ["", "{", "[]", "null", "1", '"x"', "{}{}", "\ufeff{}", '{"a": 1, "a": 2}', "nul", "{'a': 1}"]
#: What is no JSON text at all, whatever the Content-Type claims.
RAW_BODIES = [
    *(b"\xff\xfe{}", b'{"a": "\xff"}', b'{"a": "\xc0\x80"}', b'{"\xed\xa0\x80": 1}', b"\x00"),
    *("{}".encode("utf-16"), "{}".encode("utf-32"), '{"a": "\u00e9"}'.encode("latin-1")),
]
CONTENT_TYPES = [
    *("application/json", "application/json; charset=latin-1", "application/json; charset=utf-16"),
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", "a/b;" * 99),
]
#: As they stand in a URL, since several of them cannot be made of text.
RAW_QUERIES = [
    "%FF",
    "%C0%80",
    "%ED%A0%80",
    "%",
    "%zz",
    "&",
    "=",
    "1&{name}=2",
    "1&{name}=",
    ";",
    "+",
    "%2B1",
]
TEXT_VALUES = [
    *(
        "",
        " ",
        "0",
        "-1",
        "2.7",
        "1e999",
        "1" + "0" * 4000,
        "1.5",
        "1e3",
        "1_0",
        "\u0661",
        "NaN",
        "true",
        "null",
        "abc",
        "\0",
        "a\0b",
        "a\nb",
    ),
    *("%", "%%", "_", "\\", "'", '"', "[]", "{}", "*", "(", "\ud83d", "\u202e", "x " * 150, "x" * 3000),
    *("99999999999999999999", "9223372036854775807", "9223372036854775808", "1" * 5000),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30", "2026-01-01T00:00:00"),
    *("conv_1_2", "conv_01_2", "conv_2_1"),
]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("channels_on", "assistant_on")]

SCHEMA = SchemaGenerator().get_schema(public=True)
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
]
WRITING = [one for one in OPERATIONS if one[0] != "GET"]
API = [one for one in OPERATIONS if one[1] not in {"/docs", "/redoc", "/openapi.json"}]
BY_ID = [one for one in OPERATIONS if "{" in one[1]]


def named(part: Any) -> str:
    """The id of a test, from the parts of an operation."""
    return part if isinstance(part, str) else "-"


def parameters(operation: dict[str, Any], where: str) -> list[str]:
    return [one["name"] for one in operation.get("parameters", []) if one["in"] == where]


def good_value(name: str, cast: dict[str, Any]) -> Any:
    """What makes the rest of the body good, so that the attacked field is what counts."""
    return {
        "username": "dora", "email": "dora@example.org", "password": PASSWORD, "recipient_id": cast["bob"].pk,
        "content": "Noon?", "title": "Insults", "user_id": cast["bob"].pk, "refresh_token": "x",
        "current_password": PASSWORD, "new_password": "amber-kettle-77",
        "name": "Backup", "scopes": ["messages:read"], "method": "text", "phone_number": "+14155550100",
    }.get(name)  # fmt: skip


def fields(operation: dict[str, Any]) -> list[str]:
    schemas = SCHEMA["components"]["schemas"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return list(schemas[body["$ref"].rpartition("/")[2]]["properties"]) if "$ref" in body else []


@pytest.fixture
def cast(
    alice: User, bob: User, carol: User, assistant_on: None, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    # Nobody answers here.
    monkeypatch.setattr(questions, "wait_for_answer", lambda question: question)
    message = MessageFactory(sender=alice, recipient=bob)
    BlockFactory(blocker=alice, blocked=carol)
    return {
        "alice": alice,
        "bob": bob,
        "id": message.pk,
        "conversation_id": message.conversation_id,
        "user_id": carol.pk,
        "report": ReportFactory(reporter=alice, message=message).pk,
        "address": AddressFactory(user=alice).pk,
        "reply": ReplyFactory(asker=alice, state="failed").pk,
    }


def url_of(path: str, cast: dict[str, Any], **given: str) -> str:
    ids = {"conversation_id": cast["conversation_id"], "user_id": cast["user_id"], "id": cast["id"]}
    if path.startswith("/reports"):
        ids["id"] = cast["report"]
    if "/addresses/" in path:
        ids["id"] = cast["address"]
    if path.startswith("/assistant"):
        ids["id"] = cast["reply"]
    return path.format(**{**ids, **given})


def attack(
    client: APIClient,
    method: str,
    url: str,
    body: str | bytes = b"",
    content_type: str = "application/json",
) -> None:
    """Sends it; the answer may be a success or a clear refusal, and never anything else."""
    raw = body.encode() if isinstance(body, str) else body
    with undone():
        answer = client.generic(method, url, raw, content_type=content_type if raw else "")
    said = b"" if answer.streaming else answer.content[:200]
    sent = f"{method} {url[:200]} {raw[:200]!r} -> {answer.status_code} {said!r}"
    assert answer.status_code in {200, 201, 202, 204, 400, 401, 403, 404, 413, 415, 422}, sent
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == PROBLEM_TYPE, sent
        detail = answer.json()["detail"]
        assert isinstance(detail, str), sent
        assert detail, sent
        assert ("errors" in answer.json()) == (answer.status_code == 400), sent


@pytest.fixture
def logged_in(as_user: ApiClient, cast: dict[str, Any]) -> APIClient:
    client: APIClient = as_user(cast["alice"])
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize(("method", "path", "operation"), WRITING, ids=named)
def test_no_body_ends_in_anything_but_a_clear_answer(
    method: str, path: str, operation: dict[str, Any], cast: dict[str, Any], logged_in: APIClient
) -> None:
    names = fields(operation)
    good = {name: good_value(name, cast) for name in names}
    rest = {name: value for name, value in good.items() if value is not None}
    for name in [*names, "unknown"]:
        others = {other: value for other, value in rest.items() if other != name}
        for value in JSON_VALUES if name in names else share(path, JSON_VALUES, of=8):
            opening = json.dumps(others)[:-1] + (", " if others else "")
            attack(logged_in, method, url_of(path, cast), f"{opening}{json.dumps(name)}: {value}}}")
        twice = f"{opening}{json.dumps(name)}: 1, {json.dumps(name)}: [1]}}"
        attack(logged_in, method, url_of(path, cast), twice)
    for whole in BODIES:
        attack(logged_in, method, url_of(path, cast), whole)
    for raw, content_type in share(path, list(product(RAW_BODIES, CONTENT_TYPES)), of=8):
        attack(logged_in, method, url_of(path, cast), raw, content_type)


@pytest.mark.parametrize(("method", "path", "operation"), API, ids=named)
def test_no_query_parameter_ends_in_anything_but_a_clear_answer(
    method: str, path: str, operation: dict[str, Any], cast: dict[str, Any], logged_in: APIClient
) -> None:
    values = [quote(value, safe="", errors="surrogatepass") for value in TEXT_VALUES]
    described = parameters(operation, "query")
    for name in [*described, "unknown", "format"]:
        queries = values + [raw.format(name=name) for raw in RAW_QUERIES]
        for query in queries if name in described else share(path, queries, of=8):
            attack(logged_in, method, f"{url_of(path, cast)}?{quote(name)}={query}")


@pytest.mark.parametrize(("method", "path", "operation"), BY_ID, ids=named)
def test_no_path_ends_in_anything_but_a_clear_answer(
    method: str, path: str, operation: dict[str, Any], cast: dict[str, Any], logged_in: APIClient
) -> None:
    for name in parameters(operation, "path"):
        for value in filter(None, TEXT_VALUES):
            segment = quote(value, safe="", errors="surrogatepass")
            body = "{}" if method != "GET" else ""
            attack(logged_in, method, url_of(path, cast, **{name: segment}), body)
