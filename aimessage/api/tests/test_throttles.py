from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from aimessage.models import ThrottleWindow
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from messaging.models import Message
from tests.factories import PASSWORD

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def limit(settings: Any) -> Callable[..., None]:
    def limit(scope: str, requests: int = 3, seconds: int = 60) -> None:
        settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, scope: (requests, seconds)}

    return limit


def register(client: APIClient, **headers: Any) -> Any:
    name = f"dave{User.objects.count()}"
    sent = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    return client.post("/auth/register", sent, **headers)


def log_in(client: APIClient, **headers: Any) -> Any:
    return client.post("/auth/login", {"username": "alice", "password": PASSWORD}, **headers)


def refresh(client: APIClient, **headers: Any) -> Any:
    return client.post("/auth/refresh", {"refresh_token": "x"}, **headers)


@pytest.mark.parametrize(
    ("scope", "call", "status"),
    [("register", register, 201), ("login", log_in, 200), ("refresh", refresh, 401)],
)
def test_an_address_gets_so_many_and_then_429(
    client: APIClient,
    alice: User,
    limit: Callable[..., None],
    time_machine: TimeMachineFixture,
    scope: str,
    call: Callable[..., Any],
    status: int,
) -> None:
    limit(scope)
    time_machine.move_to(NOON, tick=False)
    assert [call(client).status_code for _ in range(3)] == [status] * 3
    time_machine.move_to(NOON + timedelta(seconds=12.5))

    answer = call(client)

    assert_problem(answer, 429, "Too many requests, try again in 48 s")
    assert answer.headers["Retry-After"] == "48"
    assert call(client, REMOTE_ADDR="192.0.2.9").status_code == status
    time_machine.move_to(NOON + timedelta(seconds=60))
    assert call(client).status_code == status


def test_a_refused_request_does_nothing(client: APIClient, limit: Callable[..., None]) -> None:
    limit("register", 1)
    register(client)

    assert_problem(register(client), 429)

    assert User.objects.count() == 1


def test_requests_count_also_where_they_fail(client: APIClient, limit: Callable[..., None]) -> None:
    limit("register", 2)
    for _ in range(2):
        assert_problem(client.post("/auth/register", {}), 400)

    assert_problem(register(client), 429)


def test_messages_count_per_user_through_both_doors(
    as_user: ApiClient, alice: User, bob: User, limit: Callable[..., None]
) -> None:
    limit("send")
    phone, laptop, other = as_user(alice), as_user(alice), as_user(bob)
    sent = {"recipient_id": bob.pk, "content": "hi"}
    path = f"/auth/conversations/conv_{alice.pk}_{bob.pk}/messages"

    answers = [phone.post("/messages", sent), laptop.post("/messages", sent), phone.post(path, sent)]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert_problem(laptop.post("/messages", sent, REMOTE_ADDR="192.0.2.9"), 429)
    assert_problem(phone.post(path, sent), 429)
    assert Message.objects.count() == 3
    assert phone.get("/messages").status_code == 200
    assert other.post("/messages", {"recipient_id": alice.pk, "content": "hi"}).status_code == 201


def test_each_throttle_counts_for_itself(client: APIClient, alice: User, limit: Callable[..., None]) -> None:
    limit("register", 1)
    limit("login", 1)
    register(client)

    assert log_in(client).status_code == 200


def test_off_lifts_it_and_counts_nothing(client: APIClient, settings: Any) -> None:
    assert settings.THROTTLE_RATES["refresh"] is None

    assert {refresh(client).status_code for _ in range(5)} == {401}
    assert not ThrottleWindow.objects.exists()


def test_a_forwarded_address_walks_around_nothing(client: APIClient, limit: Callable[..., None]) -> None:
    limit("refresh")

    answers = [refresh(client, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}") for number in range(4)]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429]


def test_behind_a_trusted_proxy_the_forwarded_address_counts(
    client: APIClient, limit: Callable[..., None], settings: Any
) -> None:
    limit("refresh", 1)
    settings.TRUSTED_PROXIES = 1

    answers = [refresh(client, HTTP_X_FORWARDED_FOR=f"10.0.0.1, 192.0.2.{number}") for number in (1, 2, 1)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_what_was_counted_stands_in_the_database(client: APIClient, limit: Callable[..., None]) -> None:
    limit("refresh")
    refresh(client, REMOTE_ADDR="2001:db8::1")

    window = ThrottleWindow.objects.get()

    assert (window.key, window.count) == ("refresh:2001:db8::1", 1)
