"""POST /auth/me/delete: asking for the account's deletion."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient
from time_machine import TimeMachineFixture

from accounts.models import FailedLogin, PendingDeletion, Session, User
from accounts.services.leaving import (
    cancel_deletion,
    request_deletion,
)
from accounts.tests.leaving import CANCEL, DELETE, LOGIN, PROOF, REFUSED, Notices
from aimessage.tests.asserts import assert_problem
from conftest import ApiClient
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_the_account_is_disabled_at_once(
    client: APIClient, as_user: ApiClient, alice: User, notices: Notices, time_machine: TimeMachineFixture
) -> None:
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    me, phone = as_user(alice), as_user(alice)

    answer = me.post(DELETE, PROOF)

    deletion_at = now + timedelta(days=14)
    assert answer.status_code == 202
    assert answer.json() == {
        "message": "Account will be deleted",
        "deletion_at": deletion_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    for one in (me, phone):
        assert_problem(one.get("/auth/me"), 401)
    assert client.post("/auth/refresh", {"refresh_token": me.tokens.refresh_token}).status_code == 401
    assert not Session.objects.live().filter(user=alice).exists()
    alice.refresh_from_db()
    assert not alice.is_active
    assert alice.admin_epoch == 1
    assert notices == [("alice", "deletion_begun", {"deletion_at": deletion_at})]


def test_the_login_says_when_it_will_be_deleted(client: APIClient, alice: User) -> None:
    deletion_at = request_deletion(alice, erases=False)

    answer = client.post("/auth/login", LOGIN)

    assert_problem(
        answer, 403, f"This account will be deleted on {deletion_at:%Y-%m-%d}", code="deletion_pending"
    )
    assert_problem(client.post("/auth/login", {**LOGIN, "password": "wrong"}), 401, REFUSED)


def test_the_right_password_forgives_no_failures(client: APIClient, alice: User) -> None:
    request_deletion(alice, erases=False)
    client.post("/auth/login", {**LOGIN, "password": "wrong"})
    client.post("/auth/login", LOGIN)

    assert FailedLogin.objects.count() == 1


def test_nobody_finds_it_or_writes_to_it(as_user: ApiClient, alice: User, bob: User) -> None:
    request_deletion(alice, erases=False)

    assert as_user(bob).get("/auth/directory?search=alice").json() == []
    answer = as_user(bob).post("/messages", {"recipient_id": alice.pk, "content": "Hello?"})
    assert_problem(answer, 404, "Recipient not found")


@pytest.mark.parametrize("url", [DELETE, "/auth/me/export"])
def test_a_wrong_password_changes_nothing_and_counts(
    as_user: ApiClient, client: APIClient, alice: User, url: str
) -> None:
    me = as_user(alice)
    for body in ({}, {"current_password": None}, {"current_password": 7}):
        assert_problem(me.post(url, body), 400)
    for body in [{"current_password": ""}, {"current_password": "wrong"}] * 2:
        answer = me.post(url, body)
        assert_problem(answer, 400, "Current password is incorrect")
        assert answer.json()["codes"] == {"current_password": ["wrong_password"]}
    assert me.post(url, {"current_password": "wrong"}).status_code in {400, 429}
    assert_problem(me.post(url, PROOF), 429)
    assert_problem(client.post("/auth/login", LOGIN), 429)
    alice.refresh_from_db()
    assert alice.is_active
    assert PendingDeletion.objects.count() == 0


@pytest.mark.parametrize("messages", ["all", "", None, 7, ["erase"], True, "Erase"])
def test_what_becomes_of_messages_is_one_of_two(as_user: ApiClient, alice: User, messages: Any) -> None:
    assert_problem(as_user(alice).post(DELETE, {**PROOF, "messages": messages}), 400)
    assert PendingDeletion.objects.count() == 0


@pytest.mark.parametrize("url", [DELETE, "/auth/me/export", CANCEL])
def test_they_count_as_logins(as_user: ApiClient, alice: User, settings: Settings, url: str) -> None:
    settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "login": (1, 60)}
    me, body = as_user(alice), {"current_password": "wrong", "token": "x"}

    assert me.post(url, body).status_code in {400, 401}
    assert me.post(url, body).status_code == 429


def test_the_last_superuser_stays(as_user: ApiClient, superuser: User) -> None:
    me = as_user(superuser)

    answer = me.post(DELETE, PROOF)

    assert_problem(answer, 403, "The last superuser must stay", code="last_superuser")
    assert me.get("/auth/me").status_code == 200
    UserFactory(username="another", is_superuser=True)
    assert me.post(DELETE, PROOF).status_code == 202


def test_an_admin_session_ends_for_good(browser_of: Callable[[User], Client], superuser: User) -> None:
    UserFactory(username="another", is_superuser=True)
    desk = browser_of(superuser)
    assert desk.get("/admin/").status_code == 200

    request_deletion(superuser, erases=False)
    assert desk.get("/admin/").status_code == 302
    cancel_deletion(superuser, by=superuser.pk)
    assert desk.get("/admin/").status_code == 302
