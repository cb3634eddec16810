import logging
import re

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from aimessage.server.logs import RequestIdFilter
from tests.factories import PASSWORD

FRESH = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("given", ["a", "Az09._-", "x" * 128])
def test_a_proper_one_comes_back(client: APIClient, given: str) -> None:
    assert client.get("/health", HTTP_X_REQUEST_ID=given).headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["", "x" * 129, "a b", "a\nb", "a/b", "a,b", "\u00e9", "a;b", " a", "a\r\nSet-Cookie: b=c"]
)
def test_any_other_is_replaced_by_a_fresh_one(client: APIClient, given: str) -> None:
    assert FRESH.fullmatch(client.get("/health", HTTP_X_REQUEST_ID=given).headers["X-Request-ID"])


def test_every_request_without_gets_one_of_its_own(client: APIClient) -> None:
    ids = {client.get("/health").headers["X-Request-ID"] for _ in range(3)}

    assert len(ids) == 3
    assert all(FRESH.fullmatch(one) for one in ids)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nope", {}, 404),
        ("/auth/me", {}, 401),
        ("/health", {"HTTP_HOST": "evil.example"}, 400),
        ("/admin/", {}, 302),
        ("/docs", {}, 200),
    ],
)
def test_every_answer_has_it_whatever_its_status(
    client: APIClient, db: None, path: str, headers: dict[str, str], status: int
) -> None:
    answer = client.get(path, HTTP_X_REQUEST_ID="mine", **headers)

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (status, "mine")


def test_an_unexpected_error_has_it_too(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object, request: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("aimessage.api.system.HealthView.get", fail)
    client.raise_request_exception = False

    answer = client.get("/health", HTTP_X_REQUEST_ID="mine")

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "mine")


def test_log_lines_carry_it(client: APIClient, alice: User) -> None:
    seen: list[str] = []

    class Spy(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(f"{record.request_id} {record.getMessage()}")  # type: ignore[attr-defined]

    spy = Spy()
    spy.addFilter(RequestIdFilter())
    logger = logging.getLogger("auth")
    logger.addHandler(spy)
    try:
        client.post("/auth/login", {"username": "alice", "password": PASSWORD}, HTTP_X_REQUEST_ID="first")
        client.post("/auth/login", {"username": "alice", "password": "no"}, HTTP_X_REQUEST_ID="second")
        logger.info("outside")
    finally:
        logger.removeHandler(spy)

    assert [line.split()[0] for line in seen] == ["first", "second", "-"]
