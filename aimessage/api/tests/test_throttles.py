from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
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
def limit(settings: Settings) -> Callable[..., None]:
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


def test_off_lifts_it_and_counts_nothing(client: APIClient, settings: Settings) -> None:
    assert settings.THROTTLE_RATES["refresh"] is None

    assert {refresh(client).status_code for _ in range(5)} == {401}
    assert not ThrottleWindow.objects.exists()


def test_a_forwarded_address_walks_around_nothing(client: APIClient, limit: Callable[..., None]) -> None:
    limit("refresh")

    answers = [refresh(client, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}") for number in range(4)]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429]


def test_behind_a_trusted_proxy_the_forwarded_address_counts(
    client: APIClient, limit: Callable[..., None], settings: Settings
) -> None:
    limit("refresh", 1)
    settings.TRUSTED_PROXIES = 1

    answers = [refresh(client, HTTP_X_FORWARDED_FOR=f"10.0.0.1, 192.0.2.{number}") for number in (1, 2, 1)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_what_was_counted_stands_in_the_database(client: APIClient, limit: Callable[..., None]) -> None:
    limit("refresh")
    refresh(client, REMOTE_ADDR="192.0.2.7")

    window = ThrottleWindow.objects.get()

    assert (window.key, window.count) == ("refresh:192.0.2.7", 1)


def test_a_client_is_an_ipv4_address_or_an_ipv6_64(client: APIClient, limit: Callable[..., None]) -> None:
    limit("refresh")
    addresses = ["192.0.2.7", "::ffff:192.0.2.7", "::FFFF:C000:0207"]
    addresses += ["2001:db8::1", "2001:db8::ffff:1:2", "2001:db8:0:0:8000::"]
    for address in addresses:
        refresh(client, REMOTE_ADDR=address)
    refresh(client, REMOTE_ADDR="2001:db8:0:1::1")

    counted = dict(ThrottleWindow.objects.values_list("key", "count"))
    assert counted == {
        "refresh:192.0.2.7": 3,
        "refresh:2001:db8::/64": 3,
        "refresh:2001:db8:0:1::/64": 1,
    }


@pytest.mark.parametrize("garbage", ["unknown", "x" * 5000, "[", "[]:1", "1.2.3.4:99:1", "\xff", "[::1]:x"])
def test_what_is_no_address_is_no_error(
    client: APIClient, limit: Callable[..., None], settings: Settings, garbage: str
) -> None:
    limit("refresh")
    settings.TRUSTED_PROXIES = 1

    assert refresh(client, HTTP_X_FORWARDED_FOR=garbage).status_code == 401
    assert ThrottleWindow.objects.get().key == "refresh:-"


def test_the_admin_counts_logins_together_with_the_api(
    client: APIClient, superuser: User, limit: Callable[..., None]
) -> None:
    limit("login", 4)
    browser, form = Client(), {"username": "root", "password": PASSWORD}
    assert browser.post("/admin/login/", {**form, "password": "wrong"}).status_code == 200
    assert browser.post("/admin/login/", form).status_code == 302
    for _ in range(2):
        client.post("/auth/login", {"username": "nobody", "password": "wrong"})

    page = browser.post("/admin/login/", form)

    assert page.status_code == 429
    assert page.headers["Content-Type"].startswith("text/html")
    assert 1 <= int(page.headers["Retry-After"]) <= 60
    assert "Too many logins from this address" in page.content.decode()
    assert_problem(client.post("/auth/login", form), 429)
    assert browser.get("/admin/login/").status_code == 302
    changed = {
        "old_password": PASSWORD,
        "new_password1": "amber-kettle-77",
        "new_password2": "amber-kettle-77",
    }
    assert browser.post("/admin/password_change/", changed).status_code == 429
    superuser.refresh_from_db()
    assert superuser.check_password(PASSWORD)
    assert Client(REMOTE_ADDR="192.0.2.9").post("/admin/login/", form).status_code == 302


def test_a_change_of_password_counts_as_a_login(
    as_user: ApiClient, alice: User, limit: Callable[..., None]
) -> None:
    limit("login", 2)
    phone, sent = as_user(alice), {"current_password": "wrong", "new_password": "amber-kettle-77"}

    answers = [phone.put("/auth/me/password", sent).status_code for _ in range(3)]

    assert answers == [400, 400, 429]


def test_editing_counts_as_sending(
    as_user: ApiClient, alice: User, bob: User, limit: Callable[..., None]
) -> None:
    limit("send", 4)
    phone = as_user(alice)
    message = phone.post("/messages", {"recipient_id": bob.pk, "content": "hi"}).json()
    url = f"/messages/{message['id']}"

    calls = [phone.put, phone.patch, phone.put, phone.patch, phone.put]
    answers = [call(url, {"content": f"edit {n}"}).status_code for n, call in enumerate(calls)]

    assert answers == [200] * 3 + [429] * 2
    assert phone.get(url).json()["content"] == "edit 2"
    assert phone.put(f"{url}/read").status_code == 403
    assert_problem(phone.post("/messages", {"recipient_id": bob.pk, "content": "hi"}), 429)


SEARCHES = ["/messages", "/messages/sent", "/messages/received", "/auth/conversations/{}/messages"]


def test_searches_count_together_whatever_is_searched(
    as_user: ApiClient, alice: User, bob: User, limit: Callable[..., None]
) -> None:
    limit("search", 6)
    phone = as_user(alice)
    message = phone.post("/messages", {"recipient_id": bob.pk, "content": "hi"}).json()
    urls = [url.format(message["conversation_id"]) for url in [*SEARCHES, "/auth/directory"]]

    answers = [phone.get(url, {"search": "hi there"}) for url in urls]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert_problem(phone.get("/auth/directory", {"search": ""}), 400)
    for url in urls:
        assert_problem(phone.get(url, {"search": "hi there"}), 429)
    for url in urls[:-1]:
        assert phone.get(url).status_code == 200
    assert as_user(bob).get("/messages", {"search": "hi"}).status_code == 200


def test_reports_and_people_count_per_user(
    as_user: ApiClient, alice: User, bob: User, limit: Callable[..., None]
) -> None:
    limit("report", 2)
    limit("people", 4)
    phone, other = as_user(alice), as_user(bob)
    report = {"title": "t", "content": "c"}
    filed = [phone.post("/reports", report) for _ in range(3)]
    assert [answer.status_code for answer in filed] == [201, 201, 429]
    assert phone.put(f"/reports/{filed[0].json()['id']}", report).status_code == 200
    assert len(phone.get("/reports").json()) == 2
    assert other.post("/reports", report).status_code == 201

    calls = [
        lambda: phone.get("/auth/directory", {"search": "bo"}),
        lambda: phone.post("/auth/blocks", {"user_id": bob.pk}),
        lambda: phone.get("/auth/blocks"),
        lambda: phone.delete(f"/auth/blocks/{bob.pk}"),
    ]
    assert [call().status_code for call in calls] == [200, 201, 200, 200]
    assert [call().status_code for call in calls] == [429] * 4
    assert other.get("/auth/blocks").status_code == 200
