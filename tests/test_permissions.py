"""Who may do what: every route, by every role, and what it answers."""

from itertools import product
from typing import Any

import pytest
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from conftest import ApiClient
from tests.api_catalogue import (
    CATALOGUE,
    MISSING,
    NAMING_AN_OBJECT,
    ROLES,
    Given,
    Operation,
    make_given,
    prepare,
)
from tests.described import assert_described
from tests.objects import DEAD, Cast, log_in, shut_out
from tests.routes import METHODS, undone

#: Staff without a role get what strangers get, and dead tokens what no token gets.
LIKE = {"clerk": "stranger", **dict.fromkeys(DEAD, "anonymous")}
OPERATIONS = list(CATALOGUE.values())
PATHS = sorted({operation.path for operation in OPERATIONS})
FOREIGN = [operation for operation in NAMING_AN_OBJECT if operation.statuses["stranger"] == 404]

pytestmark = pytest.mark.usefixtures("channels_on", "assistant_on", "issuer_on")


@pytest.fixture
def cast(alice: User, bob: User, carol: User, moderator: User, superuser: User, clerk: User) -> Cast:
    return Cast(alice, bob, carol, moderator, superuser, clerk)


@pytest.fixture
def given(request: pytest.FixtureRequest, alice: User, bob: User) -> Given:
    given = make_given(alice, bob)
    if "operation" in request.fixturenames:
        prepare(request.getfixturevalue("operation"), given)
    return given


@pytest.fixture
def clients(
    cast: Cast, given: Given, as_user: ApiClient, time_machine: TimeMachineFixture
) -> dict[str, APIClient]:
    """By role; logged in after `given`, since turning on a second factor ends sessions."""
    found = log_in(cast, as_user, time_machine)
    shut_out(cast)
    named = ["anonymous", "alice", "bob", "carol", "moderator", "superuser"]
    return {**found, **{role: found[name] for role, name in zip(ROLES, named, strict=True)}}


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_it_answers_each_role_as_the_catalogue_says(
    clients: dict[str, APIClient], given: Given, operation: Operation
) -> None:
    body = given.body(operation)
    row = operation.statuses
    expected = {**row, **{role: row[other] for role, other in LIKE.items()}}
    for slash in ("", "/"):
        url, statuses = given.url(operation, slash), {}
        for role in expected:
            with undone():
                answer = getattr(clients[role], operation.method.lower())(url, body)
            statuses[role] = answer.status_code
            assert_described(operation.method, operation.path, answer)

        assert statuses == expected, url


@pytest.mark.parametrize("operation", FOREIGN, ids=str)
def test_what_belongs_to_others_answers_as_if_it_were_missing(
    clients: dict[str, APIClient], given: Given, operation: Operation
) -> None:
    call, body = getattr(clients["stranger"], operation.method.lower()), given.body(operation)
    for slash in ("", "/"):
        there, missing = call(given.url(operation, slash), body), call(operation.url(MISSING, slash), body)

        assert there.status_code == missing.status_code == 404
        assert there.content == missing.content
        assert kept(there) == kept(missing)


def kept(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}


def test_it_refuses_every_method_that_a_route_does_not_offer(
    clients: dict[str, APIClient], given: Given
) -> None:
    for path in PATHS:
        operations = {operation.method: operation for operation in OPERATIONS if operation.path == path}
        public = any(operation.statuses["anonymous"] != 401 for operation in operations.values())
        named = path.format(**given.ids)
        others = [method for method in [*METHODS, "OPTIONS", "TRACE"] if method not in operations]
        urls = {named, named.rstrip("/") + "/"}

        for method, url, role in product(others, urls, ["owner", "anonymous"]):
            answer = clients[role].generic(method, url, "{}", content_type="application/json")
            refused = 405 if public or role == "owner" else 401

            assert answer.status_code == answer.json()["status"] == refused, (method, url, role)
            assert answer["Content-Type"] == "application/problem+json"
            if refused == 405:
                assert {*answer["Allow"].split(", ")} - {"HEAD"} == set(operations)
