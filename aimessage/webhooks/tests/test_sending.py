"""Tries: what is a success, when the next one is, and what ends an endpoint."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from aimessage.audit.models import Entry
from aimessage.events.models import Consumer
from aimessage.jobs.models import Job
from aimessage.jobs.running import claim, run_due
from aimessage.webhooks import jobs, outbound
from aimessage.webhooks.jobs import DELAYS, dispatch
from aimessage.webhooks.models import Attempt, Delivery, Endpoint
from aimessage.webhooks.services import (
    BY_HAND,
    disable_endpoint,
    enable_endpoint,
    register_endpoint,
    replay,
    rotate_secret,
    send_test,
)
from aimessage.webhooks.signing import shown_secret
from aimessage.webhooks.tests.receiver import Receiver, receiving, took

pytestmark = pytest.mark.django_db

HOUR = 3600


def send() -> None:
    dispatch()
    run_due("webhooks")


def make_due(delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk, status="pending").update(due_at=timezone.now())
    Endpoint.objects.update(paused_until=None)


def test_a_webhook_is_signed_as_the_standard_says(endpoint: Endpoint, receiver: Receiver) -> None:
    delivery = send_test(endpoint)

    send()

    (headers, body), *others = receiver.got
    assert not others
    told = Webhook(shown_secret(endpoint)).verify(body, headers)
    assert told["type"] == "webhook.test"
    assert told["data"] == {}
    assert headers["webhook-id"] == delivery.webhook_id
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries, delivery.due_at) == ("delivered", 1, None)
    attempt = Attempt.objects.get()
    assert (attempt.status_code, attempt.answer, attempt.error) == (200, "Thanks.", "")


def test_after_a_rotation_both_secrets_sign_for_a_day(
    endpoint: Endpoint, receiver: Receiver, time_machine: Any
) -> None:
    old = shown_secret(endpoint)
    rotate_secret(endpoint)
    new = shown_secret(endpoint)
    assert old != new
    day = timedelta(hours=24)
    until = endpoint.previous_secret_until
    assert until
    assert day - timedelta(minutes=1) < until - timezone.now() <= day

    send_test(endpoint)
    send()
    headers, body = receiver.got[-1]
    for secret in (old, new):
        Webhook(secret).verify(body, headers)

    Endpoint.objects.update(previous_secret_until=timezone.now() - timedelta(seconds=1))
    send_test(endpoint)
    send()
    headers, body = receiver.got[-1]
    Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


def test_a_new_key_leaves_the_old_secret_good(
    endpoint: Endpoint, receiver: Receiver, settings: Settings
) -> None:
    old = shown_secret(endpoint)
    settings.WEBHOOK_KEYS = ["another key that is long enough to be one", *settings.WEBHOOK_KEYS]

    send_test(endpoint)
    send()

    headers, body = receiver.got[0]
    assert shown_secret(endpoint) != old
    for secret in (old, shown_secret(endpoint)):
        Webhook(secret).verify(body, headers)


def test_the_database_holds_no_secret(endpoint: Endpoint) -> None:
    secret = shown_secret(endpoint).removeprefix("whsec_")

    assert secret not in str(list(Endpoint.objects.values()))


@pytest.mark.parametrize("status", [199 + 101, 302, 307, 308, 400, 404, 500, 503])
def test_anything_but_2xx_is_a_failure(endpoint: Endpoint, receiver: Receiver, status: int) -> None:
    receiver.answer, receiver.headers = status, {"Location": receiver.url}
    delivery = send_test(endpoint)

    send()

    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == ("pending", 1)
    assert Attempt.objects.get().status_code == status
    assert [body for _, body in receiver.got if body == "followed"] == []
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None


def test_ten_tries_at_growing_distances_with_one_id(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.answer = 500
    delivery = send_test(endpoint)
    waits = []
    for _ in range(10):
        make_due(delivery)
        send()
        delivery.refresh_from_db()
        if delivery.due_at:
            waits.append((delivery.due_at - timezone.now()).total_seconds())

    assert len(receiver.got) == 10
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {delivery.webhook_id}
    assert len({body for _, body in receiver.got}) == 1
    expected = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    assert expected == DELAYS
    assert all(0.8 * e - 2 <= w <= 1.2 * e for w, e in zip(waits, expected, strict=True)), waits
    assert (delivery.status, delivery.tries) == ("failed", 10)

    make_due(delivery)
    send()
    assert len(receiver.got) == 10


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_pauses_the_endpoint(endpoint: Endpoint, receiver: Receiver, status: int) -> None:
    receiver.answer, receiver.headers = status, {"Retry-After": "1000"}
    delivery, other = send_test(endpoint), send_test(endpoint)

    send()
    send()

    assert len(receiver.got) == 1
    delivery.refresh_from_db()
    endpoint.refresh_from_db()
    assert delivery.due_at
    assert endpoint.paused_until
    for at in (delivery.due_at, endpoint.paused_until):
        assert 990 < (at - timezone.now()).total_seconds() <= 1000
    assert Delivery.objects.get(pk=other.pk).tries == 0


def test_410_disables_at_once_and_superusers_are_told(
    endpoint: Endpoint, receiver: Receiver, superuser: Any, moderator: Any, browser_of: Any
) -> None:
    receiver.answer = 410
    deliveries = [send_test(endpoint), send_test(endpoint)]

    send()

    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, "It answered 410 Gone")
    assert len(receiver.got) == 1
    for delivery in deliveries:
        delivery.refresh_from_db()
        assert delivery.status == "cancelled"
    entry = Entry.objects.get(act="endpoint.disabled")
    assert (entry.actor_name, entry.target_id) == ("webhooks", str(endpoint.pk))
    assert not Consumer.objects.exists()
    assert "was disabled: It answered 410 Gone" in browser_of(superuser).get("/admin/").content.decode()
    assert "was disabled" not in browser_of(moderator).get("/admin/").content.decode()


def test_superusers_are_mailed_when_a_webhook_is_disabled(
    endpoint: Endpoint, superuser: Any, moderator: Any, mailoutbox: Any
) -> None:
    Endpoint.objects.update(url="https://hooks.example.org/secret-path?key=1")
    endpoint.refresh_from_db()
    disable_endpoint(endpoint, reason="It answered 410 Gone")
    disable_endpoint(endpoint, reason="It answered 410 Gone")
    run_due("mail")

    (mail,) = mailoutbox
    assert mail.to == [superuser.email]
    for text in (mail.body, mail.alternatives[0][0]):
        assert "hooks.example.org was disabled: It answered 410 Gone" in text
        assert f"/admin/webhooks/endpoint/{endpoint.pk}/change/" in text
        assert "secret-path" not in text


def test_nobody_is_mailed_of_what_was_done_by_hand_or_is_undone(
    endpoint: Endpoint, superuser: Any, mailoutbox: Any
) -> None:
    disable_endpoint(endpoint, reason=BY_HAND)
    enable_endpoint(endpoint)
    disable_endpoint(endpoint, reason="It answered 410 Gone")
    enable_endpoint(endpoint)
    run_due("mail")

    assert mailoutbox == []


def test_five_days_without_a_success_disable(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.answer = 500
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=4, hours=23))
    send_test(endpoint)
    send()
    assert Endpoint.objects.get().is_enabled

    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=5, seconds=1))
    send_test(endpoint)
    send()

    assert Endpoint.objects.get().disabled_reason == "No success for 5 days"
    assert Entry.objects.filter(act="endpoint.disabled").count() == 1


def test_a_success_begins_to_count_anew(endpoint: Endpoint, receiver: Receiver) -> None:
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=9), failures_in_a_row=7)
    send_test(endpoint)

    send()

    endpoint.refresh_from_db()
    assert (endpoint.is_enabled, endpoint.failing_since, endpoint.failures_in_a_row) == (True, None, 0)


@pytest.mark.parametrize("way", ["hang", "drip"])
def test_a_call_ends_in_time(
    endpoint: Endpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    assert outbound.CALL_SECONDS == 15
    monkeypatch.setattr(outbound, "CALL_SECONDS", 1.0)
    receiver.answer = way
    send_test(endpoint)

    assert took(send) < 3

    attempt = Attempt.objects.get()
    assert attempt.status_code is None
    assert attempt.error == "No answer within 1 s"
    assert 900 < attempt.milliseconds < 2500


def test_of_an_answer_the_beginning_is_kept(endpoint: Endpoint, receiver: Receiver) -> None:
    receiver.text = "é\0" * 5000
    send_test(endpoint)

    send()

    answer = Attempt.objects.get().answer or ""
    assert 300 < len(answer) <= 1024
    assert "\0" not in answer
    assert answer.startswith("é")


def test_after_five_failures_in_a_row_an_endpoint_is_called_once_a_pause(
    endpoint: Endpoint, receiver: Receiver
) -> None:
    receiver.answer = 500
    for _ in range(20):
        send_test(endpoint)
    for _ in range(20):
        send()

    assert len(receiver.got) == 5


def test_an_endpoint_has_one_turn_at_a_time(endpoint: Endpoint) -> None:
    send_test(endpoint)
    send_test(endpoint)

    assert [dispatch(), dispatch()] == [1, 0]
    run_due("webhooks")

    assert set(Delivery.objects.values_list("status", flat=True)) == {"delivered"}
    assert Endpoint.objects.get().busy_until is None


def test_a_turn_whose_job_is_lost_ends_by_itself(endpoint: Endpoint, receiver: Receiver) -> None:
    send_test(endpoint)
    dispatch()
    Endpoint.objects.update(busy_until=timezone.now())

    assert dispatch() == 1
    run_due("webhooks")

    # The job of the first turn came late, and sent nothing.
    assert len(receiver.got) == 1


def test_what_a_killed_worker_was_sending_is_sent_again(endpoint: Endpoint, receiver: Receiver) -> None:
    delivery = send_test(endpoint)
    dispatch()
    job = claim(["webhooks"], "killed")
    assert job is not None
    body = delivery.body or ""
    # It died after the call, before it could write.
    outbound.call(endpoint.url, body, {"webhook-id": delivery.webhook_id})
    Job.objects.get(pk=job.pk).worker_died()

    run_due("webhooks")

    assert [headers["webhook-id"] for headers, _ in receiver.got] == [delivery.webhook_id] * 2
    delivery.refresh_from_db()
    assert delivery.status == "delivered"


def test_a_disabled_endpoint_is_sent_nothing(endpoint: Endpoint, receiver: Receiver) -> None:
    send_test(endpoint)
    Endpoint.objects.update(is_enabled=False)

    send()

    assert receiver.got == []


def test_a_replay_is_the_same_webhook(endpoint: Endpoint, receiver: Receiver) -> None:
    delivery = send_test(endpoint)
    send()

    delivery.refresh_from_db()
    replay(delivery)
    send()

    first, second = receiver.got
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]
    assert Attempt.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_an_endpoint_that_hangs_holds_up_no_other(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "CALL_SECONDS", 4.0)
    receiver.answer = "hang"
    slow = Endpoint(url=receiver.url)
    register_endpoint(slow)
    for _ in range(5):
        send_test(slow)
    dispatch()

    def work() -> None:
        run_due("webhooks")
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    with receiving() as quick:
        fast = Endpoint(url=quick.url)
        register_endpoint(fast)
        time.sleep(0.5)
        assert len(receiver.got) == 1
        for _ in range(3):
            send_test(fast)

        assert took(send) < 2

        assert len(quick.got) == 3
    for thread in threads:
        thread.join(20)
    assert len(receiver.got) <= 2


def test_the_lease_outlives_a_call() -> None:
    assert jobs.LEASE.total_seconds() > jobs.TURN_SECONDS + 2 * outbound.CALL_SECONDS
