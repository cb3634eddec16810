"""What people do, as /metrics counts it: logins, messages, reports."""

import pytest
from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import User
from accounts.services.users import disable_user
from aimessage.server.tests.scraping import Change, Committed
from conftest import ApiClient
from messaging.services.messages import send_message
from reports.services import file_report
from tests.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("local_only", "database_that_answers")


EVENTS = ("logins_total", "lockouts_total", "refreshes_total", "messages_sent_total", "reports_filed_total")


def test_logins_are_counted_by_how_they_end(client: APIClient, alice: User, committed: Committed) -> None:
    def log_in(**changed: str) -> int:
        with committed():
            return client.post(
                "/auth/login", {"username": "alice", "password": PASSWORD, **changed}
            ).status_code

    change = Change()
    assert log_in() == 200
    assert change.of(*EVENTS) == {("logins_total", "api", "success"): 1}

    assert log_in(password="not-hers") == 401
    assert log_in(username="nobody") == 401
    User.objects.update(is_active=False)
    assert log_in() == 403
    assert log_in(password="") == 400  # nothing that was tried

    assert change.of(*EVENTS) == {
        ("logins_total", "api", "success"): 1,
        ("logins_total", "api", "wrong"): 2,
        ("logins_total", "api", "disabled"): 1,
    }


def test_a_lockout_is_counted_once(client: APIClient, alice: User, committed: Committed) -> None:
    change = Change()

    with committed():
        for _ in range(8):
            client.post("/auth/login", {"username": "alice", "password": "not-hers"})

    assert change.of(*EVENTS) == {
        ("logins_total", "api", "wrong"): 5,
        ("lockouts_total",): 1,
        ("logins_total", "api", "locked"): 3,
    }


def test_logins_to_the_admin_are_counted_too(superuser: User, alice: User, committed: Committed) -> None:
    def log_in(username: str, password: str) -> None:
        with committed():
            Client().post("/admin/login/", {"username": username, "password": password})

    change = Change()
    log_in("root", PASSWORD)
    log_in("root", "")
    log_in("alice", PASSWORD)
    disable_user(alice, actor=superuser)
    log_in("alice", PASSWORD)
    for _ in range(6):
        log_in("root", "not-hers")

    assert change.of(*EVENTS) == {
        ("logins_total", "admin", "success"): 1,
        ("logins_total", "admin", "not_staff"): 1,
        ("logins_total", "admin", "disabled"): 1,
        ("logins_total", "admin", "wrong"): 5,
        ("lockouts_total",): 1,
        ("logins_total", "admin", "locked"): 1,
    }


def test_refreshes_are_counted_by_how_they_end(
    client: APIClient, as_user: ApiClient, alice: User, committed: Committed, time_machine: TimeMachineFixture
) -> None:
    def refresh(token: str) -> str:
        change = Change()
        with committed():
            client.post("/auth/refresh", {"refresh_token": token})
        [(_, outcome)] = change.of(*EVENTS)
        return outcome

    time_machine.move_to("2026-03-01T12:00:00Z", tick=False)
    opened = as_user(alice)
    token = opened.tokens.refresh_token

    assert refresh(token) == "ok"
    assert refresh(token) == "replayed"
    time_machine.move_to("2026-03-01T12:01:00Z", tick=False)
    assert refresh(token) == "reused"
    assert refresh(token) == "ended"
    assert refresh("no token") == "invalid"
    time_machine.move_to("2026-04-01T12:00:00Z", tick=False)
    assert refresh(token) == "invalid"


def test_a_message_that_is_sent_is_counted_and_its_replay_is_not(
    as_user: ApiClient, alice: User, bob: User, committed: Committed
) -> None:
    client = as_user(alice)
    change = Change()

    for _ in range(2):
        with committed():
            body = {"recipient_id": bob.pk, "content": "Noon?"}
            assert client.post("/messages", body, HTTP_IDEMPOTENCY_KEY="k").status_code == 201
    with committed():
        assert client.post("/messages", {"recipient_id": alice.pk, "content": "x"}).status_code == 400

    assert change.of(*EVENTS) == {("messages_sent_total",): 1}


def test_a_report_that_is_filed_is_counted(as_user: ApiClient, alice: User, committed: Committed) -> None:
    client = as_user(alice)
    change = Change()

    with committed():
        assert client.post("/reports", {"title": "Insults", "content": "Look."}).status_code == 201
    with committed():
        client.post("/reports", {"title": "Insults", "content": "Look.", "message_id": 999})

    assert change.of(*EVENTS) == {("reports_filed_total",): 1}


def test_what_is_rolled_back_is_not_counted(alice: User, bob: User, committed: Committed) -> None:
    change = Change()

    with committed(), transaction.atomic():
        send_message(alice, content="Noon?", recipient_id=bob.pk)
        file_report(alice, title="Insults", content="Look.")
        transaction.set_rollback(True)

    assert change.of(*EVENTS) == {}
