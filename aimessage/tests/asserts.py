"""What many tests ask of an answer."""

from http import HTTPStatus
from typing import Any


def assert_problem(answer: Any, status: int, detail: str | None = None) -> dict[str, Any]:
    """Holds the answer to the one shape that errors have; returns its body."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) == {"type", "title", "status", "detail"} | ({"errors"} if status == 400 else set())
    assert body["type"] == "about:blank"
    assert body["title"] == HTTPStatus(status).phrase
    assert body["status"] == status
    assert isinstance(body["detail"], str)
    assert body["detail"]
    for messages in body.get("errors", {}).values():
        assert messages
        assert all(isinstance(message, str) for message in messages)
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    if status in (429, 503):
        assert int(answer.headers["Retry-After"]) >= 1
    if detail is not None:
        assert body["detail"] == detail
    return body
