"""The pages of webhooks: for superusers, and the secret once."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from aimessage.jobs.running import run_due
from aimessage.webhooks.jobs import dispatch
from aimessage.webhooks.models import Delivery, Endpoint
from aimessage.webhooks.services import send_test
from aimessage.webhooks.signing import shown_secret
from aimessage.webhooks.tests.receiver import Receiver

pytestmark = pytest.mark.django_db

ENDPOINTS, DELIVERIES = "/admin/webhooks/endpoint/", "/admin/webhooks/delivery/"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def desk(browser_of: Any, superuser: User) -> Client:
    browser: Client = browser_of(superuser)
    return browser


def act(desk: Client, action: str, *objects: Any, **data: Any) -> Any:
    url = DELIVERIES if isinstance(objects[0], Delivery) else ENDPOINTS
    chosen = {"action": action, "_selected_action": [each.pk for each in objects]}
    return desk.post(url, {**chosen, "confirmed": "yes", **data}, follow=True)


def test_a_new_endpoint_shows_its_secret_once(desk: Client, superuser: User) -> None:
    page = desk.post(f"{ENDPOINTS}add/", {"url": "https://hooks.example.com/a", "description": "Archive"})

    endpoint = Endpoint.objects.get()
    assert SECRET.findall(page.content.decode()) == [shown_secret(endpoint)]
    assert "no-store" in page.headers["Cache-Control"]
    assert shown_secret(endpoint) not in str(page.cookies)
    assert endpoint.created_by == superuser
    for url in (ENDPOINTS, f"{ENDPOINTS}{endpoint.pk}/change/", f"{ENDPOINTS}{endpoint.pk}/history/"):
        shown = desk.get(url)
        assert shown.status_code == 200
        assert not SECRET.search(shown.content.decode())


def test_rotating_asks_and_shows_another_secret(desk: Client, endpoint: Endpoint) -> None:
    old = shown_secret(endpoint)
    asked = desk.post(ENDPOINTS, {"action": "rotate", "_selected_action": [endpoint.pk]})
    assert "Rotate the secret of 1 endpoint?" in asked.content.decode()
    endpoint.refresh_from_db()
    assert shown_secret(endpoint) == old

    page = act(desk, "rotate", endpoint)

    endpoint.refresh_from_db()
    assert SECRET.findall(page.content.decode()) == [shown_secret(endpoint)]
    assert shown_secret(endpoint) != old


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://169.254.169.254/", "https://[::1]/", "hooks", "", "\0"]
)
def test_an_address_that_may_not_be_called_is_refused(desk: Client, url: str) -> None:
    page = desk.post(f"{ENDPOINTS}add/", {"url": url})

    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("url", ["https://169.254.169.254/", "https://10.0.0.1/", "https://167772161/"])
def test_an_endpoint_is_not_led_inside_by_a_change(desk: Client, endpoint: Endpoint, url: str) -> None:
    Endpoint.objects.update(url="https://hooks.example.com/")
    change = f"{ENDPOINTS}{endpoint.pk}/change/"

    assert "errorlist" in desk.post(change, {"url": url, "description": "x"}).content.decode()
    assert list(Endpoint.objects.values_list("url", "description")) == [("https://hooks.example.com/", "")]

    desk.post(change, {"url": "https://hooks.example.org/", "description": "x"})
    assert list(Endpoint.objects.values_list("url", "description")) == [("https://hooks.example.org/", "x")]


def test_an_unknown_kind_is_refused(desk: Client) -> None:
    desk.post(f"{ENDPOINTS}add/", {"url": "https://hooks.example.com/", "kinds": ["message.eaten"]})

    assert not Endpoint.objects.exists()


def test_a_delivery_shows_its_tries_and_not_its_body(
    desk: Client, endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer, receiver.text = 500, "<b>Broken</b>"
    delivery = send_test(endpoint)
    dispatch()
    run_due("webhooks")

    page = desk.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()

    assert "<td>500</td>" in page
    assert "&lt;b&gt;Broken&lt;/b&gt;" in page
    assert str(delivery.body) not in page
    assert delivery.webhook_id in desk.get(DELIVERIES).content.decode()


def test_a_test_is_sent_and_replayed_with_the_same_id(
    desk: Client, endpoint: Endpoint, receiver: Receiver
) -> None:
    act(desk, "test", endpoint)
    dispatch()
    run_due("webhooks")
    act(desk, "replay", Delivery.objects.get())
    dispatch()
    run_due("webhooks")

    assert len(receiver.got) == 2
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_what_failed_since_a_time_is_replayed(desk: Client, endpoint: Endpoint) -> None:
    now = timezone.now()
    old, failed, cancelled, delivered = (send_test(endpoint) for _ in range(4))
    for delivery, status, ago in (
        (old, "failed", 5),
        (failed, "failed", 1),
        (cancelled, "cancelled", 1),
        (delivered, "delivered", 1),
    ):
        at = now - timezone.timedelta(hours=ago)
        Delivery.objects.filter(pk=delivery.pk).update(status=status, due_at=None, settled_at=at, tries=10)
    since = now - timezone.timedelta(hours=2)

    page = act(desk, "replay_failed", endpoint, since_0=f"{since:%Y-%m-%d}", since_1=f"{since:%H:%M:%S}")

    assert "Replayed 2 that failed" in page.content.decode()
    pending = Delivery.objects.filter(status="pending")
    assert {delivery.pk for delivery in pending} == {failed.pk, cancelled.pk}
    assert {delivery.tries for delivery in pending} == {0}


def test_a_time_that_is_none_replays_nothing(desk: Client, endpoint: Endpoint) -> None:
    send_test(endpoint)
    Delivery.objects.update(status="failed", due_at=None, settled_at=timezone.now())

    page = act(desk, "replay_failed", endpoint, since_0="yesterday", since_1="")

    assert page.status_code == 200
    assert Delivery.objects.get().status == "failed"


def test_what_is_pending_or_of_a_disabled_endpoint_is_not_replayed(desk: Client, endpoint: Endpoint) -> None:
    delivery = send_test(endpoint)
    Delivery.objects.update(tries=3)
    act(desk, "replay", delivery)
    assert Delivery.objects.get().tries == 3

    act(desk, "disable", endpoint)
    act(desk, "replay", delivery)
    act(desk, "test", endpoint)

    assert Delivery.objects.get().status == "cancelled"


def test_nobody_else_sees_or_does_anything(
    browser_of: Any, endpoint: Endpoint, moderator: User, clerk: User, alice: User
) -> None:
    delivery = send_test(endpoint)
    for user in (moderator, clerk, alice):
        browser = browser_of(user)
        for url in (ENDPOINTS, DELIVERIES):
            assert browser.get(url).status_code in {302, 403}
        for url in (f"{ENDPOINTS}add/", f"{ENDPOINTS}{endpoint.pk}/change/"):
            assert browser.post(url, {"url": "https://evil.example/"}).status_code in {302, 403}
        assert browser.get(f"{DELIVERIES}{delivery.pk}/change/").status_code in {302, 403}
        for action in ("rotate", "disable", "test"):
            act(browser, action, endpoint)
    assert Endpoint.objects.get().secret_salt == endpoint.secret_salt
    assert Endpoint.objects.get().is_enabled
    assert Delivery.objects.count() == 1
