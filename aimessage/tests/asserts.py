"""What many tests ask of an answer, or of an error."""

import re
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from aimessage.api.problems import DomainError

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_DOCUMENTED = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


@cache
def documented_codes() -> dict[str, set[str]]:
    """By heading of docs/api.md's tables of them: `Codes` and `Codes of fields`."""
    text = (Path(__file__).parents[2] / "docs/api.md").read_text()
    sections = re.split(r"^###? ", text, flags=re.MULTILINE)
    return {
        title: set(_DOCUMENTED.findall(section))
        for section in sections
        for title in [section.partition("\n")[0]]
        if title.startswith("Codes")
    }


def assert_known_codes(body: dict[str, Any]) -> None:
    """The codes of a problem are those that docs/api.md lists, of one shape with its messages."""
    assert SNAKE_CASE.fullmatch(body["code"])
    assert body["code"] in documented_codes()["Codes"], f"docs/api.md has no {body['code']}"
    codes, errors = body.get("codes", {}), body.get("errors", {})
    assert {name: len(words) for name, words in codes.items()} == {
        name: len(messages) for name, messages in errors.items()
    }
    for word in (word for words in codes.values() for word in words):
        assert SNAKE_CASE.fullmatch(word)
        assert word in documented_codes()["Codes of fields"], f"docs/api.md has no {word} of fields"


def assert_problem(
    answer: Any, status: int, detail: str | None = None, *, code: str | None = None
) -> dict[str, Any]:
    """Holds the answer to the one shape that errors have, and to its sentence and code; returns its body."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    by_field = {"errors", "codes"} if status == 400 else set()
    more = {"login_token", "expires_in", "methods"} if body["code"] == "second_factor_required" else set()
    assert set(body) == {"type", "title", "status", "detail", "code"} | by_field | more
    assert body["type"] == "about:blank"
    assert body["title"] == HTTPStatus(status).phrase
    assert body["status"] == status
    assert isinstance(body["detail"], str)
    assert body["detail"]
    for messages in body.get("errors", {}).values():
        assert messages
        assert all(isinstance(message, str) for message in messages)
    assert_known_codes(body)
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    if status in (429, 503):
        assert int(answer.headers["Retry-After"]) >= 1
    if detail is not None:
        assert body["detail"] == detail
    if code is not None:
        assert body["code"] == code
    return body


def refused(kind: type[DomainError], act: Callable[[], Any]) -> tuple[str, str | None]:
    """The sentence of the error that a service raises, and the field that it is about."""
    with pytest.raises(kind) as error:
        act()
    assert type(error.value) is kind
    return error.value.detail, error.value.field
